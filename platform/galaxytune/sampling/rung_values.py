"""What a study's trials have reached at the rungs, in the form that a RungModel is fitted to."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from optuna.trial import FrozenTrial, TrialState

from galaxytune.sampling.failure_aware_sampler import BLAMED
from galaxytune.sampling.search_cube import SearchCube

Array = NDArray[np.float64]
_LEAST_RMSE = 1e-9  # has a logarithm


class RungValues:
    """What is known of N trials that have come to a rung, and of P trials that have not yet.

    coordinates: of the N trials [N, H]. values: logarithms of lowest RMSEs [N, R] by rung, NaN
    for rungs that a trial has not come to. waiting: coordinates of the P trials [P, H].
    """

    def __init__(
        self, trials: Sequence[FrozenTrial], cube: SearchCube, rungs: Sequence[int]
    ) -> None:
        """Read the trials; `rungs` are epochs.

        A trial whose config made it fail gets the worst value of any trial at the first rung. A
        trial that was cut off before the first rung counts as waiting, like a running trial,
        because a sampler is shown both alike.
        """
        reached = [values_at(trial, rungs) for trial in trials]
        are_known = [bool(v) or BLAMED in t.user_attrs for t, v in zip(trials, reached)]
        if not any(reached):
            are_known = [False] * len(trials)
        everything = [cube.coordinates(trial.params) for trial in trials]
        coordinates = np.array(everything).reshape(-1, len(cube.axes))
        self.coordinates = coordinates[np.array(are_known, bool)]
        are_waiting = [
            not known and trial.state != TrialState.COMPLETE
            for trial, known in zip(trials, are_known)
        ]
        self.waiting = coordinates[np.array(are_waiting, bool)]
        table = [
            values + [math.nan] * (len(rungs) - len(values))
            for values, known in zip(reached, are_known)
            if known
        ]
        self.values = np.array(table).reshape(-1, len(rungs))
        first = self.values[:, 0]
        if len(first):
            first[np.isnan(first)] = np.nanmax(first)


def values_at(trial: FrozenTrial, epochs: Sequence[int]) -> list[float]:
    """Return logarithms of a trial's lowest RMSE by each of the epochs that the trial came to.

    A complete trial has come to all epochs, however early its training stopped. [] of a trial
    that has reported nothing, has reported a number that is not finite, or failed because of its
    config.
    """
    curve = trial.intermediate_values
    if not curve or BLAMED in trial.user_attrs or not all(map(math.isfinite, curve.values())):
        return []
    last = math.inf if trial.state == TrialState.COMPLETE else max(curve)
    return [
        math.log(max(min(value for at, value in curve.items() if at <= epoch), _LEAST_RMSE))
        for epoch in epochs
        if epoch <= last
    ]
