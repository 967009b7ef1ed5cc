"""Memory that runs out at a place and time of a test's choosing."""

from collections.abc import Callable
from typing import Any, NoReturn

import torch
from torch import Tensor, nn


def gpu_is_full() -> NoReturn:
    """Raise what a full GPU raises."""
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nMore words.")


def host_is_full() -> None:
    """Ask the allocator of main memory for a petabyte, which it refuses."""
    torch.empty(1 << 50)


class Room:
    """Memory in which a module handles at most so many galaxies at once.

    limit: that number, which may be changed. seen: the numbers of galaxies that were tried.
    """

    def __init__(
        self, module: nn.Module, limit: int, when_full: Callable[[], object] = gpu_is_full
    ) -> None:
        """Call `when_full` before the module handles more than `limit` galaxies."""
        self.limit, self.when_full = limit, when_full
        self.seen: list[int] = []
        module.register_forward_pre_hook(self._enter)

    def _enter(self, module: nn.Module, inputs: tuple[Tensor]) -> None:
        self.seen.append(len(inputs[0]))
        if len(inputs[0]) > self.limit:
            self.when_full()


class FailsOnce:
    """Memory that runs out at one backward pass, when the gradients are half computed."""

    def __init__(self, module: nn.Module, at_pass: int) -> None:
        """Fail in the backward pass of `module` that has this number, counted from 1."""
        self.at_pass, self.passes = at_pass, 0
        module.register_full_backward_hook(self._leave)

    def _leave(self, module: nn.Module, *gradients: Any) -> None:
        self.passes += 1
        if self.passes == self.at_pass:
            gpu_is_full()
