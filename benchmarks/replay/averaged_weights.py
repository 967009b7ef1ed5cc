"""An exponential moving average of a network's weights, beside a training run that ignores it."""

import math
from typing import Any

import torch
from torch.optim.swa_utils import AveragedModel

from trainables.layers import GalaxyNetwork
from trainables.training import TrainingRun, predict, rmse


class AveragedWeights:
    """The average of a run's weights over its last `epochs` epochs or so.

    After n optimiser steps the average is multiplied by a decay d, the new weights by 1 - d;
    d = exp(-1 / steps in `epochs` epochs), but at first (1 + n) / (10 + n), so that the random
    initial weights are soon forgotten.
    """

    def __init__(self, run: TrainingRun, epochs: float) -> None:
        """Follow `run`, which has not begun, from its next optimiser step on."""
        self._run = run
        self._decay = math.exp(-1 / (epochs * run.steps_per_epoch))
        self._average = AveragedModel(run.network, multi_avg_fn=self._mix, use_buffers=True)
        run.optimiser.register_step_post_hook(self._follow)

    @property
    def num_steps(self) -> int:
        """Return the number of optimiser steps that were followed."""
        return int(self._average.n_averaged)

    def validation_rmse(self) -> float:
        """The validation RMSE of the averaged weights."""
        run = self._run
        rows = run.split.validation
        network = self._average.module
        assert isinstance(network, GalaxyNetwork)
        predicted = predict(network, run.galaxies.images, run.device, rows)
        return rmse(predicted, run.galaxies.target[rows])

    def _follow(self, *_: Any) -> None:
        self._average.update_parameters(self._run.network)

    @torch.no_grad()
    def _mix(self, averaged: Any, current: Any, num_averaged: torch.Tensor | int) -> None:
        steps = int(num_averaged)
        decay = min(self._decay, (1 + steps) / (10 + steps))
        torch._foreach_lerp_(list(averaged), list(current), 1 - decay)
