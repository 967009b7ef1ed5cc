"""One step of the optimiser for a whole batch, and an epoch made of such steps."""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from search_spaces.declaration import WorkFailed
from trainables.device import MicroBatch, computed_in, even_slices, within_memory
from trainables.layers import GalaxyNetwork
from trainables.training.batches import TrainingBatch
from trainables.training.epoch_report import EpochReport
from trainables.training.loss import ConstrainedLoss

_ONE_VALUE = "Expected more than 1 value per channel"  # of PyTorch's BatchNorm

# For each part of a batch two scalar tensors without gradient, on the device of the batch: the
# loss, regularisation included, and the squared error, each summed over the part's galaxies. The
# squared error is summed over the 37 answers too.
Sums = list[tuple[Tensor, Tensor]]
# A generator that runs one epoch. The generator yields each batch, is sent the sums of that batch,
# and returns the report of the epoch.
EpochSteps = Generator[TrainingBatch, Sums, EpochReport]
_Outcome = TypeVar("_Outcome")


@dataclass(frozen=True)
class TrainingStep:
    """One training step: the gradient of a whole batch, then one step of the optimiser.

    If memory does not hold a batch, the batch is computed again in parts of half the size, and so
    on, and the gradients of the parts are added. The result equals the result of the whole batch
    within float noise, with two exceptions. Dropout draws in another order. A BatchNorm that
    trains normalises each part by the statistics of that part; its running statistics move once
    for each part, and also by the parts of a failed attempt.

    network, loss, optimiser: the network, its loss and its optimiser, all on one device.
    micro_batch: the most galaxies that go through the network at once; halved in place if memory
        is short.
    precision: torch.float32 or torch.bfloat16, for the passes of the network.
    """

    network: GalaxyNetwork
    loss: ConstrainedLoss
    optimiser: torch.optim.Optimizer
    micro_batch: MicroBatch
    precision: torch.dtype

    def __call__(self, batch: TrainingBatch) -> Sums:
        """Take one step of the optimiser; return the sums of each part of the batch (see `Sums`).

        The network's mode, training or evaluation, is not changed. The gradients stay in the
        parameters until the next step. OutOfMemory is raised if memory does not hold a part of 1
        galaxy or the optimiser's own step. WorkFailed is raised if a BatchNorm trains on a part
        of 1 galaxy with a map of a single pixel, because one value has no variance.
        """
        sums = self.micro_batch.fitting(
            len(batch), lambda size: self._add_gradients(batch, size), self._drop_gradients
        )
        within_memory(self.optimiser.step, "the optimiser's step")  # not tried a second time
        return sums

    def _add_gradients(self, batch: TrainingBatch, size: int) -> Sums:
        """Compute the batch's gradient in parts of at most `size` galaxies; return their sums.

        The loss of each part is complete, regularisation included, and is weighted by the part's
        share of the galaxies. The shares add up to 1, so regularisation counts once.
        """
        self._drop_gradients()
        sums = []
        for chosen in even_slices(len(batch), size):
            part = batch.part(chosen)
            try:
                with computed_in(self.precision, part.source.device):
                    predicted = part.predicted(self.network)
            except ValueError as error:
                if _ONE_VALUE not in str(error):
                    raise
                raise WorkFailed(
                    "BatchNorm cannot train on 1 galaxy whose maps have a single pixel; set a "
                    "batch_size that leaves no single galaxy over, or a larger input_side"
                ) from None
            votes = part.votes()
            loss = self.loss(predicted, votes) + self.network.regularisation()
            loss.backward(torch.full_like(loss, len(part) / len(batch)))
            squared = (predicted.detach() - votes).square().sum()
            sums.append((loss.detach() * len(part), squared))
        return sums

    def _drop_gradients(self) -> None:
        """Drop the gradients of all parameters that the optimiser changes."""
        self.optimiser.zero_grad(set_to_none=True)


def driven(
    epoch: Generator[TrainingBatch, Sums, _Outcome], step: Callable[[TrainingBatch], Sums]
) -> _Outcome:
    """Run an epoch to its end by calling `step` with each batch; return what the epoch returns.

    epoch: a generator of an epoch's batches that has not been started, such as that of
    `TrainingRun.epoch_in_steps`, which returns the report of the epoch. step: takes one step on a
    batch and returns the sums of the batch. Errors of `step` and of the epoch, such as Diverged
    and OutOfMemory, are raised unchanged.
    """
    batch = next(epoch)
    while True:
        sums = step(batch)
        try:
            batch = epoch.send(sums)
        except StopIteration as end:
            outcome: _Outcome = end.value
            return outcome
