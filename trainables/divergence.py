"""Seeing soon, and without waiting for the device, that a loss is finite no more."""

import math

import torch
from torch import Tensor

_STEPS_BETWEEN_LOOKS = 25


class Diverged(RuntimeError):
    """A loss or metric was not finite; the message says which and when."""


class DivergenceWatch:
    """Looks at the sum of an epoch's losses every 25 steps.

    On a GPU a look sends the sum to the host and finds there what an earlier look sent, if that
    has arrived: the steps go on meanwhile, and a divergence is seen within some 50 steps.
    """

    def __init__(self, device: torch.device, epoch: int) -> None:
        """Watch one epoch, whose number errors tell."""
        self._epoch, self._on_gpu = epoch, device.type == "cuda"
        self._on_host = torch.zeros((), pin_memory=self._on_gpu)
        self._arrived = torch.cuda.Event() if self._on_gpu else None

    def look(self, step: int, loss_sum: Tensor) -> None:
        """Raise Diverged if the sum is known not to be finite; `step` counts from 0."""
        if step % _STEPS_BETWEEN_LOOKS:
            return
        if self._arrived is None:
            self._on_host.copy_(loss_sum)
        elif not self._arrived.query():
            return
        self._raise_if_diverged()
        if self._arrived is not None:
            self._on_host.copy_(loss_sum, non_blocking=True)
            self._arrived.record()

    def _raise_if_diverged(self) -> None:
        seen = float(self._on_host.numpy())  # the host's memory as it is: no device is asked
        if not math.isfinite(seen):
            raise Diverged(f"train_loss is {seen} in epoch {self._epoch}")
