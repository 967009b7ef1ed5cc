"""The RMSEs that trials have reached at the rungs, in the form that a RungModel is fitted to."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from optuna.trial import FrozenTrial, TrialState

from galaxytune.sampling.failure_aware_sampler import BLAMED
from galaxytune.sampling.search_cube import SearchCube

Array = NDArray[np.float64]
_LEAST_RMSE = 1e-9  # lower RMSEs count as this, because 0 has no logarithm


class RungValues:
    """The values of N trials at R rungs, and the configs of P trials without a value.

    coordinates: the coordinates [N, H] of the configs with values.
    values: logarithms [N, R] of the lowest RMSE up to each rung; NaN for the rungs that a trial
        has not come to.
    waiting: the coordinates [P, H] of configs without a value whose trials are not complete.
    """

    def __init__(
        self, trials: Sequence[FrozenTrial], cube: SearchCube, rungs: Sequence[int]
    ) -> None:
        """Read the values of trials of one architecture, in the order of the trials.

        trials: as `FailureAwareSampler` shows trials. cube: the search space with its H axes, at
        least one. rungs: the R epochs of the rungs, then the last epoch, in rising order.

        A trial has values if `values_at` is not empty. A trial whose config made it fail gets the
        worst value of any trial at the first rung, and NaN at the others. A trial that was cut
        off before the first rung counts as waiting, like a running trial, because a sampler is
        shown both alike. A complete trial without a value is left out, for example a trial that
        has reported a number that is not finite. N is 0 if no trial has values; trials whose
        config made them fail are then left out, too. ValueError is raised if a trial's
        parameter is not among the choices of its axis.
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
    """Return the logarithm of a trial's lowest RMSE up to each epoch that the trial has come to.

    epochs: in rising order. A complete trial has come to all epochs, however early its training
    stopped. Any other trial has come to the epochs up to its last report. RMSEs below 1e-9 count
    as 1e-9. ValueError is raised if the trial has come to an epoch but its first report is later.

    The list is empty if the trial has not come to the first epoch, has reported nothing, has
    reported a number that is not finite, or failed because of its config.
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
