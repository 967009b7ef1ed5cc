"""The prior mean that earlier studies give: what their trials say about a config at each rung."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from galaxytune.sampling.carried_trials import CarriedTrials
from galaxytune.sampling.rung_model import RungModel
from galaxytune.sampling.search_cube import SearchCube
from galaxytune.study import EarlierTrial

Array = NDArray[np.float64]
_FEWEST = 5  # trials of an earlier study from which a model is made
_LEAST_RMSE = 1e-9  # lower RMSEs count as this, because 0 has no logarithm
MOST_TAUGHT = 250  # trials of one study; the time of a fit grows with the cube of their number


class EarlierModel:
    """The mean over earlier studies of what a model of each study predicts at R rungs.

    A rung of the study that learns corresponds to the same share of the epochs in an earlier
    study. The model of an earlier study is a RungModel of its trials in the search space of the
    study that learns, and reads only the inputs in which the trials differ.
    """

    def __init__(self, carried: CarriedTrials, cube: SearchCube, rungs: Sequence[int]) -> None:
        """Fit the models.

        carried: the trials of earlier studies. cube: the search space of the study that learns.
        rungs: the epochs of the R rungs, then the last epoch. A study with fewer than five trials,
        or whose trials agree in all hyperparameters that carry over, has no model.
        """
        shares = np.array(rungs) / rungs[-1]
        inputs = cube.inputs(carried.coordinates) if cube.axes else np.empty((0, 0))
        by_study: dict[str, list[int]] = {}
        for number, trial in enumerate(carried.trials):
            by_study.setdefault(trial.study, []).append(number)
        self._models: list[_StudyModel] = []
        for numbers in by_study.values() if cube.axes else ():
            chosen = numbers[-MOST_TAUGHT:]
            own = inputs[chosen]
            differs = np.ptp(own, axis=0) > 0
            if len(chosen) >= _FEWEST and differs.any():
                values = [_values(carried.trials[number], shares) for number in chosen]
                self._models.append(_StudyModel(own[:, differs], np.array(values), differs))

    @property
    def teaches(self) -> bool:
        """True if at least one earlier study has a model."""
        return bool(self._models)

    def __call__(self, inputs: Array) -> Array:
        """Map inputs [M, C] to prior means [M, R]: logarithms of RMSEs up to a constant."""
        return np.mean([model(inputs) for model in self._models], axis=0)


class _StudyModel:
    """The model of one earlier study."""

    def __init__(self, inputs: Array, values: Array, differs: NDArray[np.bool_]) -> None:
        """Fit to inputs [N, D] and values [N, R]; differs: which of the C inputs are read."""
        self._differs = differs
        self._model = RungModel(inputs.shape[1], values.shape[1])
        self._model.fit(inputs, values, inputs[:0])
        first = values[:, 0]
        self._scale, self._num_rungs = max(float(np.std(first)), 1e-3), values.shape[1]

    def __call__(self, inputs: Array) -> Array:
        """Map inputs [M, C] to the predicted logarithms [M, R], less a constant for each rung."""
        means = self._model.means(inputs[:, self._differs])
        missing = np.repeat(means[:, -1:], self._num_rungs - means.shape[1], axis=1)
        return self._scale * np.hstack([means, missing])


def _values(trial: EarlierTrial, shares: Array) -> list[float]:
    """Return the logarithms [R] of the lowest RMSE up to each share of a trial's epochs.

    NaN stands for the shares that the trial has not come to, but not for the first share. A trial
    that was trained whole has come to all shares.
    """
    epochs = np.maximum(1, np.round(shares * trial.num_epochs)).astype(int)
    last = epochs[-1] if trial.is_whole else max(len(trial.curve), epochs[0])
    return [
        float(np.log(max(min(trial.curve[:epoch]), _LEAST_RMSE))) if epoch <= last else math.nan
        for epoch in epochs
    ]
