"""One step of several networks of equal shape as a single computation, each with its optimiser."""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from trainables.decision_tree import NUM_ANSWERS
from trainables.device import OutOfMemory, RandomState, computed_in, within_memory
from trainables.packs.supplied_dropout import DropoutCall, drawn_masks, supply_dropout
from trainables.training import Sums, TrainingBatch, TrainingRun


class _TrainedNetwork(nn.Module):
    """A network together with its loss: all tensors in which the runs of a pack differ."""

    def __init__(self, run: TrainingRun) -> None:
        super().__init__()
        self.network, self.loss = run.network, run.loss
        self._precision, self._device = run.step.precision, run.device

    def forward(self, images: Tensor, votes: Tensor) -> tuple[Tensor, Tensor]:
        """Return the scalar loss and the scalar sum of squared errors of images and votes.

        images: [B, 3, S, S] in 0..1. votes: vote fractions [B, 37]. The loss is a mean over the
        galaxies and includes regularisation; the sum is over all B x 37 values.
        """
        with computed_in(self._precision, self._device):
            predicted = self.network(images)
        loss = self.loss(predicted, votes) + self.network.regularisation()
        return loss, (predicted.detach() - votes).square().sum()


class StackedStep:
    """A step that K runs of one architecture take together.

    Parameters, gradients and buffers of the networks are stacked [K, ...], and the network of each
    run holds views of its own part of the stack until `release`. So the optimiser, validation and
    state of a run work as in a run alone, and their changes are made in the stack.

    runs: the K runs.
    """

    def __init__(self, runs: Sequence[TrainingRun]) -> None:
        """Stack the networks of the runs, whose tensors must have equal shapes on one device.

        The tensors of the runs' networks and losses are replaced by views of the stack, and the
        gradients by zeros. torch's own error is raised if memory does not hold the stack; the
        networks then keep their own tensors.
        """
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
        """Take one step of each run on its own batch; return the sums of each run.

        batches: one batch for each run, all of one size; cached features of a batch are not used.
        chances: one random state for each run, which the run's dropout draws from and moves.
        calls_by_size: the dropout calls of a forward pass, by the number of galaxies; missing
        entries are added.

        The sums of a run are a list with one pair (see `Sums`). A run whose optimiser runs out of
        memory gets an OutOfMemory in place of its sums. If memory does not hold the computation of
        the networks, torch's own error is raised, and no parameter has changed; the random states
        and the running statistics of BatchNorm may have moved.
        """
        first, size = self.runs[0], len(batches[0])
        side, device = first.network.image_side, first.device
        fractions = [run.network.field_fraction for run in self.runs]
        images = torch.stack([b.images(side, part) for b, part in zip(batches, fractions)])
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
        """Copy the stacked tensors back into the runs' networks, and drop the gradients.

        After the call the runs do not need the stack.
        """
        for network in self._networks:
            for parameter in network.parameters():
                parameter.data, parameter.grad = _apart(parameter.data), None
            for buffer in network.buffers():
                buffer.data = _apart(buffer.data)

    def _hold_views(self, network: nn.Module, number: int) -> None:
        """Replace a network's tensors and gradients by views of part `number` of the stack."""
        for name, parameter in network.named_parameters():
            stacked = self._parameters[name]
            parameter.data = stacked.detach()[number]
            parameter.grad = None if stacked.grad is None else stacked.grad[number]
        for name, buffer in network.named_buffers():
            buffer.data = self._buffers[name][number]

    def _dropout_calls(self, images: Tensor) -> list[DropoutCall]:
        """Return the dropout calls of a forward pass, found by a pass of the first network.

        images: [B, 3, S, S]. The pass drops nothing and changes no tensor of a run.
        """
        calls = self._supply.begin_record()
        state = {
            name: _apart(values[0].detach())  # a copy, so that BatchNorm's statistics stay
            for name, values in {**self._parameters, **self._buffers}.items()
        }
        votes = images.new_zeros(len(images), NUM_ANSWERS)
        with torch.no_grad():
            functional_call(self._skeleton, state, (images, votes))
        return calls

    def _add_gradients(
        self, images: Tensor, votes: Tensor, masks: list[Tensor | None]
    ) -> tuple[Tensor, Tensor]:
        """Compute the gradients of the K networks; return losses [K] and squared errors [K].

        images: [K, B, 3, S, S]. votes: [K, B, 37]. masks: for each dropout call the masks [K,
        ...], or None if no network drops.
        """
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
        """Return the scalar loss and the scalar sum of squared errors of one network.

        parameters, buffers: the network's tensors, by name. images: [B, 3, S, S]. votes: [B, 37].
        masks: the network's mask for each dropout call, or None for a call in which no network
        drops.
        """
        self._supply.supply(masks)
        found: tuple[Tensor, Tensor] = functional_call(
            self._skeleton, (parameters, buffers), (images, votes)
        )
        return found


def _apart(values: Tensor) -> Tensor:
    """Return a copy that shares no memory with a stack.

    Values of four dimensions get the channels-last layout of a run alone, because the layout
    decides dropout's draws.
    """
    if values.dim() != 4:
        return values.clone()
    return torch.empty_like(values, memory_format=torch.channels_last).copy_(values)
