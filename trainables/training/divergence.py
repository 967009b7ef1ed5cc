"""Early detection of a loss that is not finite, without waiting for the device."""

import math

import torch
from torch import Tensor

from search_spaces.declaration import WorkFailed

_STEPS_BETWEEN_LOOKS = 25


class Diverged(WorkFailed):
    """The error of a run with a loss or metric that is not finite.

    The message says which loss or metric, its value, and in which epoch.
    """


class DivergenceWatch:
    """A watch over one epoch that checks the sum of its losses every 25 steps.

    On a CPU the present sum is checked. On a GPU a check looks at the sum that the check before
    copied to the host, and then starts to copy the present sum. If the earlier copy is not
    complete, the check does nothing. So no step waits for the GPU, and a divergence is usually
    found within 50 steps. The watch does not find a divergence after its last check; `TrainingRun`
    checks the losses at the end of the epoch.
    """

    def __init__(self, device: torch.device, epoch: int) -> None:
        """Watch one epoch on `device`.

        epoch: number of the epoch, from 1, for the message of Diverged.
        """
        self._epoch, self._on_gpu = epoch, device.type == "cuda"
        self._on_host = torch.zeros((), pin_memory=self._on_gpu)
        self._arrived = torch.cuda.Event() if self._on_gpu else None

    def look(self, step: int, loss_sum: Tensor) -> None:
        """Raise Diverged if the sum of losses is known not to be finite.

        Only every 25th step is checked, from step 0 on; at other steps nothing is done. step:
        number of the step in the epoch, from 0. loss_sum: scalar tensor on the watched device, the
        sum of the losses of the epoch so far.
        """
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
        """Raise Diverged if the sum that was last copied to the host is not finite."""
        seen = float(self._on_host.numpy())  # read from the host's memory, so without waiting
        if not math.isfinite(seen):
            raise Diverged(f"train_loss is {seen} in epoch {self._epoch}")
