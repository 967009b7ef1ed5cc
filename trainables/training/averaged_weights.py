"""An exponential moving average of a network's weights, which training follows but never reads."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor


class AveragedWeights:
    """The average of the last steps' weights, with more weight on later steps.

    After n steps the average is multiplied by d and the new weights by 1 - d are added, with
    d = exp(-1 / num_steps), but at first (1 + n) / (10 + n), so that the random first weights are
    soon forgotten. Statistics of BatchNorm are averaged like weights; whole numbers are copied.

    num_steps: number of steps over which the average reaches back, above 0.
    state: the averages by name, tensors of their own on the device of the network.
    count: number of steps that were followed.
    """

    def __init__(self, weights: Mapping[str, Tensor], num_steps: float) -> None:
        """Begin with a copy of the weights before the first step."""
        self.num_steps, self.count = num_steps, 0
        self.state = {name: tensor.detach().clone() for name, tensor in weights.items()}

    @torch.no_grad()
    def follow(self, weights: Mapping[str, Tensor]) -> None:
        """Take the weights after one more step into the average.

        weights: tensors with the names, shapes and device of `state`; they are not changed.
        """
        decay = min(math.exp(-1 / self.num_steps), (1 + self.count) / (10 + self.count))
        pairs = [(average, weights[name]) for name, average in self.state.items()]
        moving = [(a, w) for a, w in pairs if a.is_floating_point()]
        if moving:
            averages, current = zip(*moving)
            torch._foreach_lerp_(list(averages), list(current), 1 - decay)
        for average, weight in pairs:
            if not average.is_floating_point():
                average.copy_(weight)
        self.count += 1

    @contextmanager
    def in_place_of(self, weights: Mapping[str, Tensor]) -> Iterator[None]:
        """Put the averages into the tensors of a network while the block runs, then put back.

        weights: the network's own tensors by the names of `state`, which are changed in place, so
        that a CUDA graph that reads the tensors stays valid.
        """
        kept = {name: weights[name].detach().clone() for name in self.state}
        self._copy(self.state, weights)
        try:
            yield
        finally:
            self._copy(kept, weights)

    def as_state(self) -> dict[str, Any]:
        """Return what `load_state` needs; the tensors are those of the averages, not copies."""
        return {"weights": self.state, "count": self.count}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take over averages that `as_state` returned, copied to the device of `self.state`.

        RuntimeError or KeyError is raised if they belong to another network.
        """
        self._copy({name: state["weights"][name] for name in self.state}, self.state)
        self.count = int(state["count"])

    @staticmethod
    @torch.no_grad()
    def _copy(source: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> None:
        """Copy each tensor of `source` into the tensor of the same name in `target`."""
        for name, tensor in source.items():
            target[name].copy_(tensor)
