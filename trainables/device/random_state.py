"""Torch's global random state, one for each of several runs that take turns in a process."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


class RandomState:
    """The state of torch's global generator that belongs to one run, moved only by `in_use`.

    Only the generator of the run's own device is kept, because the run's dropout draws from no
    other.

    state: a uint8 tensor to which `in_use` sets the generator; the tensor is replaced, never
    changed in place.
    """

    def __init__(self, device: torch.device) -> None:
        """Keep a copy of the present state of the device's global generator."""
        self._device = device
        self.state = self._present()

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Set the global generator to `state`, and keep the generator's state after the block.

        The state that the generator had before the block is not restored. If the block raises an
        error, `state` stays unchanged.
        """
        if self._device.type == "cuda":
            torch.cuda.set_rng_state(self.state, self._device)
        else:
            torch.set_rng_state(self.state)
        yield
        self.state = self._present()

    def _present(self) -> Tensor:
        """Return a copy of the present state of the device's global generator."""
        if self._device.type == "cuda":
            return torch.cuda.get_rng_state(self._device)
        return torch.get_rng_state()
