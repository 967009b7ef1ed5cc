"""A model of the RMSE that a config reaches at each rung, fitted to trials that came to rungs.

One Gaussian process predicts the value at the first rung. At each later rung another Gaussian
process predicts the difference from the value at the rung before. The difference has a part in
proportion to that earlier value, and a part that depends on the config. (Kennedy and O'Hagan 2000,
Biometrika, use this autoregression for computer codes of several accuracies.) A trial comes to a
rung only by way of the rungs before it, so each process is fitted to all data of its rung. With
halving, few trials come to the later rungs, so a fit of all processes costs little more than a fit
of the first process.

Earlier studies may give a prior mean for each config and rung. The values are then modelled as a
slope times the prior mean, plus the processes. The slope follows from the study's own values: it
begins near 1 and falls to 0 if the earlier studies mislead.
"""

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from galaxytune.sampling.gaussian_process import GaussianProcess

Array = NDArray[np.float64]
_FEWEST = 3  # a later rung is modelled if at least so many trials have come to it
_TAIL = 2.0  # values are cut off this many times as far above the median as the best is below
_FARTHEST = -1e5  # in standard deviations; beyond, float64 cannot tell improvements apart
# The smallest unit of the model, as a difference of logarithms of RMSEs. It is used if the values
# at the first rung hardly differ.
_LEAST_SCALE = 0.02
# The normal prior of the slope over the prior mean: its mean and standard deviation; the variance
# of a value about the slope; and the bounds of the slope.
_SLOPE, _SLOPE_DEVIATION, _SLOPE_NOISE, _SLOPE_BOUNDS = 0.8, 0.3, 0.5, (0.0, 1.5)


class PriorMean(Protocol):
    """The prior mean of configs: maps inputs [M, C] to logarithms of RMSEs [M, R] at R rungs."""

    def __call__(self, inputs: Array, /) -> Array:
        """Return the prior means [M, R]; a constant may be added to the means of a rung."""


@dataclass(frozen=True)
class _ScaledPrior:
    """A prior mean in the units of a fit, times the slope that the fit has found.

    prior: the prior mean. level: what is subtracted from it at each rung, [R]. factor: the slope
    divided by the unit of the fit.
    """

    prior: PriorMean
    level: Array
    factor: float

    @classmethod
    def of(cls, prior: PriorMean, inputs: Array, values: Array, scale: float) -> "_ScaledPrior":
        """Return the prior with the slope that N configs show.

        inputs: [N, C]. values: [N, T] in the units of the fit, NaN where a config has not come to
        a rung. scale: the unit of the fit, as a difference of logarithms. The slope is the mean of
        its posterior, from the differences of the configs within each rung.
        """
        means = prior(inputs)
        known = np.where(np.isnan(values), np.nan, means[:, : values.shape[1]]) / scale
        x = known - np.nanmean(known, axis=0)
        y = values - np.nanmean(values, axis=0)
        precision = 1 / _SLOPE_DEVIATION**2
        above = precision * _SLOPE + np.nansum(x * y) / _SLOPE_NOISE
        slope = above / (precision + np.nansum(x * x) / _SLOPE_NOISE)
        return cls(prior, np.mean(means, axis=0), float(np.clip(slope, *_SLOPE_BOUNDS)) / scale)

    def __call__(self, inputs: Array) -> Array:
        """Map inputs [M, C] to the prior means [M, R] in the units of the fit."""
        return self.factor * (self.prior(inputs) - self.level)


@dataclass(frozen=True)
class Prediction:
    """A prediction for M configs at the highest rung that is modelled.

    A value is the logarithm of the lowest RMSE up to the rung, shifted and scaled so that the
    values at the first rung have the mean 0 and, unless they hardly differ, the variance 1.

    mean, variance: the means [M] and the variances [M] of the predicted values.
    lowest: the lowest value that a trial of the fit has at the rung.
    """

    mean: Array
    variance: Array
    lowest: float

    def log_improvement(self) -> Array:
        """Return the logarithm [M] of each config's expected improvement.

        The improvement is the difference by which the config's value is below `lowest`, or 0 if it
        is above (Jones et al. 1998, Journal of Global Optimization). The logarithm is computed in
        a form that does not underflow. It is in the units of the prediction.
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
    """A model of the configs of one architecture, with one Gaussian process for each rung.

    A model can be fitted again when more trials have reported; the parameters of the last fit are
    the start of the next. `predict` needs a call of `fit` before; AttributeError is raised else.

    top: number of the highest rung that the last fit modelled, counted from 0.
    """

    def __init__(self, num_inputs: int, num_rungs: int) -> None:
        """Make a model that is not fitted.

        num_inputs: the number C of a config's inputs. num_rungs: the number R of rungs.
        """
        self.top = 0
        self._processes = [GaussianProcess(num_inputs) for _ in range(num_rungs)]
        self._num_fitted = 0  # number of values when parameters were last fitted
        self._prior: _ScaledPrior | None = None  # of the last fit

    def fit(
        self,
        inputs: Array,
        values: Array,
        pending: Array,
        prior: PriorMean | None = None,
    ) -> None:
        """Fit the model to the inputs [N, C] of N configs and their values [N, R] at R rungs.

        values: logarithms of the lowest RMSE up to each rung. NaN marks the rungs that a trial has
        not come to, which are the last rungs of its row; the first value is never NaN. N is at
        least 1, else ValueError is raised. pending: inputs [P, C] of configs without a value, P
        from 0. A pending config gets the value that the model predicts at the first rung, so that
        the next config is not drawn beside it.

        The highest rung to which at least three trials have come becomes `top`; the first rung is
        always modelled. Lengths, scale and noise of the processes are fitted anew if `top` rises
        or if the number of values has grown by more than a tenth since they were last fitted;
        otherwise they are kept. `inputs` may be kept and not copied, so it must not be changed.
        numpy.linalg.LinAlgError is raised if a process cannot be fitted.

        prior: the prior mean of configs at all R rungs, in logarithms of RMSEs up to a constant
        for each rung; None for none.
        """
        num_known, last_top = np.sum(~np.isnan(values), axis=0), self.top
        self.top = max([r for r, n in enumerate(num_known) if n >= _FEWEST], default=0)
        values = _without_tails(values[:, : self.top + 1])
        first = values[:, 0]
        scale = max(float(np.std(first)), _LEAST_SCALE)
        values = (values - np.mean(first)) / scale
        self._lowest = float(np.nanmin(values[:, self.top]))
        self._prior = None if prior is None else _ScaledPrior.of(prior, inputs, values, scale)
        if self._prior is not None:
            values = values - self._prior(inputs)[:, : self.top + 1]
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

    def means(self, inputs: Array) -> Array:
        """Return the predicted means [M, top + 1] of configs with inputs [M, C] at each rung."""
        mean, _ = self._processes[0].predict(inputs)
        found = [mean]
        for process in self._processes[1 : self.top + 1]:
            gain, _ = process.predict(inputs, found[-1])
            found.append(found[-1] + gain)
        means = np.stack(found, axis=1)
        return means if self._prior is None else means + self._prior(inputs)[:, : self.top + 1]

    def predict(self, inputs: Array) -> Prediction:
        """Return the prediction for configs with inputs [M, C] at the rung `top`.

        The variances leave out how uncertain the slopes of the autoregression are.
        """
        mean, variance = self._processes[0].predict(inputs)
        for process, earlier in zip(self._processes[1 : self.top + 1], self._processes):
            gain, unsure = process.predict(inputs, mean)
            seen = variance + earlier.noise  # the next rung follows from the value that was seen
            mean, variance = mean + gain, (1 + process.slope) ** 2 * seen + unsure
        if self._prior is not None:
            mean = mean + self._prior(inputs)[:, self.top]
        return Prediction(mean, variance, self._lowest)


def _without_tails(values: Array) -> Array:
    """Return a copy of values [N, R] in which the worst values of each rung are cut off.

    The limit lies twice as far above the rung's median as the best value lies below the median. A
    higher value is set to the limit, because it does not matter how bad a bad config is. NaN stays
    NaN.
    """
    middle, best = np.nanmedian(values, axis=0), np.nanmin(values, axis=0)
    return np.minimum(values, middle + _TAIL * (middle - best))
