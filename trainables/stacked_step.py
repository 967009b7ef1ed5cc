"""One step of several networks of one shape as a single computation, each by its own optimiser."""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from trainables.decision_tree import NUM_ANSWERS
from trainables.epoch_steps import Sums
from trainables.micro_batch import OutOfMemory, within_memory
from trainables.precision import computed_in
from trainables.random_state import RandomState
from trainables.supplied_dropout import DropoutCall, drawn_masks, supply_dropout
from trainables.training import TrainingRun
from trainables.training_batches import TrainingBatch


class _TrainedNetwork(nn.Module):
    """A network and its loss: every tensor in which the runs of a pack differ."""

    def __init__(self, run: TrainingRun) -> None:
        super().__init__()
        self.network, self.loss = run.network, run.loss
        self._precision, self._device = run.step.precision, run.device

    def forward(self, images: Tensor, votes: Tensor) -> tuple[Tensor, Tensor]:
        """The loss of images [B, 3, S, S] for votes [B, 37], and the sum of squared errors."""
        with computed_in(self._precision, self._device):
            predicted = self.network(images)
        loss = self.loss(predicted, votes) + self.network.regularisation()
        return loss, (predicted.detach() - votes).square().sum()


class StackedStep:
    """K runs of one architecture whose next step is taken as one.

    Their parameters, gradients and buffers are stacked [K, ...], and each run's network holds
    views of its own part. So each run's optimiser, its validation and its state are as they are
    alone, and what they change is changed in the stack.
    """

    def __init__(self, runs: Sequence[TrainingRun]) -> None:
        """Stack the runs' networks; they must differ in no shape."""
        self.runs = list(runs)
        self._networks = [_TrainedNetwork(run) for run in runs]
        self._parameters, self._buffers = stack_module_state(self._networks)
        for values in self._parameters.values():
            values.grad = torch.zeros_like(values)
        self._gradients = [values.grad for values in self._parameters.values()]
        self._skeleton = copy.deepcopy(self._networks[0]).to("meta").train()
        self._supply = supply_dropout(self._skeleton.network)
        for number, network in enumerate(self._networks):
            self._hold_views(network, number)

    def __call__(
        self,
        batches: Sequence[TrainingBatch],
        chances: Sequence[RandomState],
        calls_by_size: dict[int, list[DropoutCall]],
    ) -> list[Sums | OutOfMemory]:
        """Step once on each run's own batch, all of one size; returns each run's sums.

        Dropout draws from `chances`. `calls_by_size` remembers which dropout calls a pass of so
        many galaxies makes. A run whose optimiser finds no memory gets that error instead. What
        the network itself needs too much of raises as torch does, no run having moved.
        """
        first, size = self.runs[0], len(batches[0])
        side, device = first.network.image_side, first.device
        images = torch.stack([batch.images(side) for batch in batches])
        votes = torch.stack([batch.votes() for batch in batches])
        if size not in calls_by_size:
            calls_by_size[size] = self._dropout_calls(images[0])
        networks = [run.network for run in self.runs]
        masks = drawn_masks(calls_by_size[size], networks, chances, device)
        losses, squared = self._add_gradients(images, votes, masks)
        sums: list[Sums | OutOfMemory] = []
        for run, loss, error in zip(self.runs, losses * size, squared):
            try:
                within_memory(run.optimiser.step, "the optimiser's step")
                sums.append([(loss, error)])
            except OutOfMemory as full:
                sums.append(full)
        return sums

    def release(self) -> None:
        """Give every run its tensors back as its own, so that the stack can be forgotten."""
        for network in self._networks:
            for parameter in network.parameters():
                parameter.data, parameter.grad = _apart(parameter.data), None
            for buffer in network.buffers():
                buffer.data = _apart(buffer.data)

    def _hold_views(self, network: nn.Module, number: int) -> None:
        for name, parameter in network.named_parameters():
            stacked = self._parameters[name]
            parameter.data = stacked.detach()[number]
            parameter.grad = None if stacked.grad is None else stacked.grad[number]
        for name, buffer in network.named_buffers():
            buffer.data = self._buffers[name][number]

    def _dropout_calls(self, images: Tensor) -> list[DropoutCall]:
        """Run the first network once, dropping nothing, to see what it would drop."""
        calls = self._supply.begin_record()
        state = {
            name: _apart(values[0].detach())  # BatchNorm's statistics must not move by this
            for name, values in {**self._parameters, **self._buffers}.items()
        }
        votes = images.new_zeros(len(images), NUM_ANSWERS)
        with torch.no_grad():
            functional_call(self._skeleton, state, (images, votes))
        return calls

    def _add_gradients(
        self, images: Tensor, votes: Tensor, masks: list[Tensor | None]
    ) -> tuple[Tensor, Tensor]:
        """Fill the gradients by images [K, B, 3, S, S]; losses [K] and squared errors [K]."""
        torch._foreach_zero_(self._gradients)
        where = (0, 0, 0, 0, [None if mask is None else 0 for mask in masks])
        losses, squared = vmap(self._of_one, in_dims=where)(
            self._parameters, self._buffers, images, votes, masks
        )
        losses.sum().backward()
        return losses.detach(), squared

    def _of_one(
        self,
        parameters: dict[str, Tensor],
        buffers: dict[str, Tensor],
        images: Tensor,
        votes: Tensor,
        masks: list[Tensor | None],
    ) -> tuple[Tensor, Tensor]:
        self._supply.supply(masks)
        found: tuple[Tensor, Tensor] = functional_call(
            self._skeleton, (parameters, buffers), (images, votes)
        )
        return found


def _apart(values: Tensor) -> Tensor:
    """A copy that no stack holds, laid out as in a run alone: that decides dropout's draws."""
    if values.dim() != 4:
        return values.clone()
    return torch.empty_like(values, memory_format=torch.channels_last).copy_(values)
