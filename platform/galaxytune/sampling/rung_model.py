"""A model of what a config reaches at each rung, fitted to trials that came to some rungs.

One Gaussian process predicts the value at the first rung. At each later rung another Gaussian
process predicts how the value differs from the value at the rung before: in proportion to that
value, and by the config. (Kennedy and O'Hagan 2000, Biometrika, use this autoregression for
computer codes of several accuracies.) A trial comes to a rung only by way of the rungs before it,
so each process is fitted to all data of its rung, and the whole costs as much as the first
process.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from galaxytune.sampling.gaussian_process import GaussianProcess

Array = NDArray[np.float64]
_FEWEST = 3  # trials at a rung that is modelled
_TAIL = 2.0  # values are cut off this many times as far above the median as the best lies below
_FARTHEST = -1e5  # standard deviations; beyond, two improvements cannot be told apart
_LEAST_SCALE = 0.02  # of logarithms of RMSEs, where the first rung hardly tells configs apart


@dataclass(frozen=True)
class Prediction:
    """A prediction for M configs at the highest rung that is modelled, in the model's own units.

    mean, variance: of the predicted values [M]. lowest: the lowest value of any trial there.
    """

    mean: Array
    variance: Array
    lowest: float

    def log_improvement(self) -> Array:
        """Return logarithms [M] of how far each config is expected to be below the lowest value.

        The expected improvement is that of Jones et al. 1998 (Journal of Global Optimization), in
        a form that does not underflow.
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
    """The Gaussian processes of one search, one for each rung.

    top: number of the highest rung that is modelled, from 0. The parameters of a fit are where the
    next fit starts.
    """

    def __init__(self, num_inputs: int, num_rungs: int) -> None:
        """Build processes of `num_inputs` inputs that are fitted to nothing yet."""
        self.top = 0
        self._processes = [GaussianProcess(num_inputs) for _ in range(num_rungs)]
        self._num_fitted = 0  # values in all when parameters were last fitted

    def fit(self, inputs: Array, values: Array, pending: Array) -> None:
        """Fit the model to the inputs [N, C] of N configs and their values [N, R] at R rungs.

        values: logarithms of the lowest RMSE by each rung; NaN for rungs that a trial has not come
        to, which are the last ones. pending: inputs [P, C] of configs that have no value yet. At
        the first rung the pending configs get the values that are expected of them, so that the
        next config is not drawn beside them.
        """
        num_known, last_top = np.sum(~np.isnan(values), axis=0), self.top
        self.top = max([r for r, n in enumerate(num_known) if n >= _FEWEST], default=0)
        values = _without_tails(values[:, : self.top + 1])
        first = values[:, 0]
        values = (values - np.mean(first)) / max(np.std(first), _LEAST_SCALE)
        learn = num_known.sum() > 1.1 * self._num_fitted or self.top > last_top
        self._num_fitted = num_known.sum() if learn else self._num_fitted
        processes = self._processes
        processes[0].fit(inputs, values[:, 0], learn=learn)
        if len(pending):
            expected, _ = processes[0].predict(pending)
            everywhere = np.vstack([inputs, pending])
            processes[0].fit(everywhere, np.append(values[:, 0], expected), learn=False)
        for rung in range(1, self.top + 1):
            came = ~np.isnan(values[:, rung])
            before, here = values[came, rung - 1], values[came, rung]
            processes[rung].fit(inputs[came], here - before, before, learn=learn)
        self._lowest = float(np.nanmin(values[:, self.top]))

    def predict(self, inputs: Array) -> Prediction:
        """Predict the values of configs with inputs [M, C] at the highest rung that is modelled.

        The slopes of the autoregression count as known.
        """
        mean, variance = self._processes[0].predict(inputs)
        for process, earlier in zip(self._processes[1 : self.top + 1], self._processes):
            gain, unsure = process.predict(inputs, mean)
            seen = variance + earlier.noise  # the next rung follows from the value that was seen
            mean, variance = mean + gain, (1 + process.slope) ** 2 * seen + unsure
        return Prediction(mean, variance, self._lowest)


def _without_tails(values: Array) -> Array:
    """Return values [N, R] with the bad ones of each rung cut off: how bad they are is no use."""
    middle, best = np.nanmedian(values, axis=0), np.nanmin(values, axis=0)
    return np.minimum(values, middle + _TAIL * (middle - best))
