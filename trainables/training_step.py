"""One step of the optimiser for a whole batch, in as many parts as memory asks for."""

from dataclasses import dataclass

import torch
from torch import Tensor

from trainables.loss import ConstrainedLoss
from trainables.micro_batch import MicroBatch, even_slices, within_memory
from trainables.network import GalaxyNetwork
from trainables.precision import computed_in
from trainables.training_batches import TrainingBatch


@dataclass(frozen=True)
class TrainingStep:
    """What turns a batch into a step: the gradient of the whole batch, then the optimiser, once.

    A batch that memory does not hold is begun anew in parts of half the size, and so on, the
    parts' gradients being added up. The result is that of the whole batch within float noise,
    except that dropout draws in another order and that BatchNorm, where it trains, normalises
    each part by the part's own statistics; its running ones move once a part, and with what a
    failed attempt had seen.
    """

    network: GalaxyNetwork
    loss: ConstrainedLoss
    optimiser: torch.optim.Optimizer
    micro_batch: MicroBatch
    precision: torch.dtype  # of the network's passes

    def __call__(self, batch: TrainingBatch) -> list[tuple[Tensor, Tensor]]:
        """Step once; returns each part's loss and squared error, summed over its galaxies.

        Raises OutOfMemory where even a part of 1 galaxy, or the optimiser's own step, is too much.
        """
        sums = self.micro_batch.fitting(
            len(batch), lambda size: self._add_gradients(batch, size), self._drop_gradients
        )
        within_memory(self.optimiser.step, "the optimiser's step")  # not to be taken twice
        return sums

    def _add_gradients(self, batch: TrainingBatch, size: int) -> list[tuple[Tensor, Tensor]]:
        """Compute the batch's gradient in parts of at most `size`.

        Each part's loss is complete, regularisation included, and weighs as much as the part's
        share of the galaxies; the shares add up to 1, so that regularisation counts once.
        """
        self._drop_gradients()
        sums = []
        for chosen in even_slices(len(batch), size):
            part = batch.part(chosen)
            with computed_in(self.precision, part.source.device):
                predicted = part.predicted(self.network)
            votes = part.votes()
            loss = self.loss(predicted, votes) + self.network.regularisation()
            loss.backward(torch.full_like(loss, len(part) / len(batch)))
            squared = (predicted.detach() - votes).square().sum()
            sums.append((loss.detach() * len(part), squared))
        return sums

    def _drop_gradients(self) -> None:
        self.optimiser.zero_grad(set_to_none=True)
