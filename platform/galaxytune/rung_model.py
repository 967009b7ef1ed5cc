"""What a config will come to at each rung, learned from trials that came to some of them.

One Gaussian process says what a config reaches at the first rung; at each later one another says
how that differs from what the rung before suggests, in proportion to it and by the config (the
autoregression of Kennedy and O'Hagan 2000, Biometrika, for computer codes of several accuracies).
Trials come to a rung only by way of those before it, so each process has all the data that there
are, and the whole costs as much as the first.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from galaxytune.gaussian_process import GaussianProcess

Array = NDArray[np.float64]
_FEWEST = 3  # trials at a rung from which on it is modelled
_TAIL = 2.0  # values are cut off so many times as far above the median as the best lies below it
_FARTHEST = -1e5  # deviations; from there on nothing tells two apart
_LEAST_SCALE = 0.02  # of logarithms of RMSEs; where the first rung hardly tells configs apart


@dataclass(frozen=True)
class Prediction:
    """Of M configs at the highest rung that is modelled, in units of the model's own.

    lowest: the lowest value that any trial has there.
    """

    mean: Array
    variance: Array
    lowest: float

    def log_improvement(self) -> Array:
        """Logarithms [M] of by how much configs are expected to be below the lowest value.

        Jones et al. 1998 (Journal of Global Optimization), in a form that does not underflow.
        """
        from scipy.special import erfcx, ndtr

        deviation = np.sqrt(self.variance)
        below = (self.lowest - self.mean) / deviation
        near, far = np.maximum(below, -1), np.clip(below, _FARTHEST, -1)
        density = np.exp(-(near**2) / 2) / math.sqrt(2 * math.pi)
        found: Array = np.where(
            below > -1,
            np.log(density + near * ndtr(near)),
            np.log1p(far * math.sqrt(math.pi / 2) * erfcx(-far / math.sqrt(2)))
            - (far**2 + math.log(2 * math.pi)) / 2,
        )
        return found + np.log(deviation)


class RungModel:
    """The processes of one search, one a rung; their parameters go on from fit to fit."""

    def __init__(self, num_coordinates: int, num_rungs: int) -> None:
        """Know nothing yet; `top` is the highest rung that is modelled."""
        self.top = 0
        self._processes = [GaussianProcess(num_coordinates) for _ in range(num_rungs)]
        self._num_fitted = 0  # values in all when parameters were last fitted

    def fit(self, coordinates: Array, values: Array, pending: Array) -> None:
        """Take in N configs' coordinates [N, C] and their values at R rungs [N, R], some NaN.

        A value is the logarithm of the lowest RMSE by then; who has one has those before it, too.
        pending: [P, C] of configs that have none yet. At the first rung they are taken to come to
        what is expected of them, so that the next config is not drawn where they are.
        """
        num_known, last_top = np.sum(~np.isnan(values), axis=0), self.top
        self.top = max([r for r, n in enumerate(num_known) if n >= _FEWEST], default=0)
        values = _without_tails(values[:, : self.top + 1])
        first = values[:, 0]
        values = (values - np.mean(first)) / max(np.std(first), _LEAST_SCALE)
        learn = num_known.sum() > 1.1 * self._num_fitted or self.top > last_top
        self._num_fitted = num_known.sum() if learn else self._num_fitted
        processes = self._processes
        processes[0].fit(coordinates, values[:, 0], learn=learn)
        if len(pending):
            expected, _ = processes[0].predict(pending)
            everywhere = np.vstack([coordinates, pending])
            processes[0].fit(everywhere, np.append(values[:, 0], expected), learn=False)
        for rung in range(1, self.top + 1):
            came = ~np.isnan(values[:, rung])
            before, here = values[came, rung - 1], values[came, rung]
            processes[rung].fit(coordinates[came], here - before, before, learn=learn)
        self._lowest = float(np.nanmin(values[:, self.top]))

    def predict(self, coordinates: Array) -> Prediction:
        """What configs at coordinates [M, C] come to; slopes are taken to be known."""
        mean, variance = self._processes[0].predict(coordinates)
        for process, earlier in zip(self._processes[1 : self.top + 1], self._processes):
            gain, unsure = process.predict(coordinates, mean)
            seen = variance + earlier.noise  # what comes next goes by what was seen before
            mean, variance = mean + gain, (1 + process.slope) ** 2 * seen + unsure
        return Prediction(mean, variance, self._lowest)


def _without_tails(values: Array) -> Array:
    """Values [N, R] with the bad ones of each rung cut off: how bad they are tells nothing."""
    middle, best = np.nanmedian(values, axis=0), np.nanmin(values, axis=0)
    return np.minimum(values, middle + _TAIL * (middle - best))
