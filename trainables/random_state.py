"""torch's global random state, one for each of several runs that take turns in a process."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


class RandomState:
    """The global random state of one run: as it was when this was made, and moved in `in_use`.

    state: what the generator is to be set to, replaced and never changed.
    Only the generator of the run's own device is kept, because only that one draws there.
    """

    def __init__(self, device: torch.device) -> None:
        """Keep the present state of the device's generator."""
        self._device = device
        self.state = self._present()

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Draw from this state in the block, and keep where that leads."""
        if self._device.type == "cuda":
            torch.cuda.set_rng_state(self.state, self._device)
        else:
            torch.set_rng_state(self.state)
        yield
        self.state = self._present()

    def _present(self) -> Tensor:
        if self._device.type == "cuda":
            return torch.cuda.get_rng_state(self._device)
        return torch.get_rng_state()
