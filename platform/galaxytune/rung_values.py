"""What a study's trials have come to at the rungs, as a model of learning curves is told."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from optuna.trial import FrozenTrial, TrialState

from galaxytune.penalising_sampler import BLAMED
from galaxytune.search_cube import SearchCube

Array = NDArray[np.float64]
_LEAST_RMSE = 1e-9  # has a logarithm


class RungValues:
    """What is known of N trials that have come to a rung, and of P that have not yet.

    places: [N, H]. values: [N, R], see RungModel. waiting: the places [P, H] of the others.
    """

    def __init__(
        self, trials: Sequence[FrozenTrial], cube: SearchCube, rungs: Sequence[int]
    ) -> None:
        """Trials that failed for their config's sake are as bad at the first rung as any.

        Those that were cut off before it count as on their way there, as those that run do: a
        sampler is shown both alike.
        """
        reached = [values_at(trial, rungs) for trial in trials]
        are_known = [bool(v) or BLAMED in t.user_attrs for t, v in zip(trials, reached)]
        if not any(reached):
            are_known = [False] * len(trials)
        places = np.array([cube.places(t.params) for t in trials]).reshape(-1, len(cube.axes))
        self.places = places[np.array(are_known, bool)]
        on_their_way = [
            not known and trial.state != TrialState.COMPLETE
            for trial, known in zip(trials, are_known)
        ]
        self.waiting = places[np.array(on_their_way, bool)]
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
    """Logarithms of a trial's lowest RMSE by each of the epochs that it has come to.

    Who ended as complete has come to all of them, however early it stopped.
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
