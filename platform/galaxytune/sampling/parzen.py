"""Parzen estimates of the density of one hyperparameter's values, as TPE computes them.

The method is that of Bergstra et al. 2011 (NeurIPS) with the choices that Optuna 5 makes. Each
value of a number is the middle of a normal kernel that is cut off at the ends of the range and is
as wide as the gap to the farther neighbour. One more kernel, the prior, covers the whole range. A
kernel of a choice gives its highest probability to the choice that was seen. Optuna's own classes
are made for many hyperparameters at once and take three to five times as long for one.

Values are in Optuna's internal representation: a float for each value, which is the value of a
number, or the position of a choice among the distribution's choices, counted from 0.
"""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from galaxytune.sampling.optuna_internals import trial_weights

Values = NDArray[np.float64]
_PRIOR_WEIGHT = 1.0
_MOST_NARROW = 100.0  # kernels are never narrower than the range divided by this


class ParzenEstimate(ABC):
    """A mixture of kernels over values in Optuna's internal representation.

    weights: the weights [K] of the kernels, with sum 1: a kernel for each value that was seen, in
    the order of the trials, and the prior as the last.
    """

    def __init__(self, num_seen: int) -> None:
        """Make the weights of the kernels for `num_seen` values, from 0 (see `trial_weights`).

        The prior has the same weight as the latest value.
        """
        weights = np.append(trial_weights(num_seen), _PRIOR_WEIGHT)
        self.weights: Values = weights / weights.sum()

    @abstractmethod
    def draw(self, chance: np.random.RandomState, count: int) -> Values:
        """Return values [count] that are drawn from the mixture; `chance` changes its state."""

    @abstractmethod
    def log_density(self, values: Values) -> Values:
        """Return the logarithm [V] of the density at values [V].

        The result may miss a term that depends only on the value and the distribution. The
        difference between two estimates of the same distribution is right.
        """


class ChoiceEstimate(ParzenEstimate):
    """An estimate of the probability of each choice, from how often each choice was seen.

    The prior gives all choices the same probability. No choice has the probability 0.
    """

    def __init__(self, seen: Values, num_choices: int) -> None:
        """Make the estimate from the choices [N] that were seen, N from 0.

        seen: positions of the choices, counted from 0, in the order of the trials. num_choices:
        number of the distribution's choices.
        """
        super().__init__(len(seen))
        num_kernels = len(seen) + 1
        kernels = np.full((num_kernels, num_choices), _PRIOR_WEIGHT / num_kernels)
        kernels[np.arange(len(seen)), seen.astype(int)] += 1
        self._kernels = kernels / kernels.sum(axis=1, keepdims=True)
        self._log_densities = np.log(self.weights @ self._kernels)

    def draw(self, chance: np.random.RandomState, count: int) -> Values:
        """Return the positions [count] of choices that are drawn, as floats."""
        kernels = chance.choice(len(self.weights), p=self.weights, size=count)
        quantiles = chance.rand(count)[:, None]
        below = np.cumsum(self._kernels[kernels, :-1], axis=1) < quantiles
        numbers: Values = below.sum(axis=1).astype(float)
        return numbers

    def log_density(self, values: Values) -> Values:
        """Return the logarithm [V] of the probability of choices, given by their positions [V]."""
        return self._log_densities[values.astype(int)]


class NumberEstimate(ParzenEstimate):
    """An estimate of the density of a number: normal kernels that are cut off at its range.

    If the distribution is logarithmic, the kernels are normal over the number's logarithm.
    """

    def __init__(self, seen: Values, number: FloatDistribution | IntDistribution) -> None:
        """Make the estimate from the values [N] that were seen, in the order of the trials.

        N is from 0. A value outside the range is moved to the nearest end. number: gives range,
        scale and step. If the range is a single value and there is no step, every result is NaN.
        """
        super().__init__(len(seen))
        from scipy.special import ndtr, ndtri  # .15 s, too long for a search's start

        self._ndtr, self._ndtri, self._number = ndtr, ndtri, number
        half = (number.step or 0) / 2
        low, high = self._scaled(np.array([number.low - half, number.high + half], float))
        seen = np.clip(self._scaled(seen), low, high)
        self._middles = np.append(seen, (low + high) / 2)
        self._widths = np.append(_widths(seen, low, high), high - low)
        self._lowest: Values = ndtr((low - self._middles) / self._widths)
        self._masses: Values = ndtr((high - self._middles) / self._widths) - self._lowest

    def draw(self, chance: np.random.RandomState, count: int) -> Values:
        """Return numbers [count] that are drawn, within the range and on its steps, as floats."""
        kernels = chance.choice(len(self.weights), p=self.weights, size=count)
        quantiles = self._lowest[kernels] + chance.uniform(size=count) * self._masses[kernels]
        drawn = self._middles[kernels] + self._widths[kernels] * self._ndtri(quantiles)
        drawn = np.exp(drawn) if self._number.log else drawn
        low, high, step = self._number.low, self._number.high, self._number.step
        if step is not None:
            drawn = low + np.round((drawn - low) / step) * step
        return np.clip(drawn, low, high)

    def log_density(self, values: Values) -> Values:
        """Return the logarithm [V] of the density at values [V], up to a constant.

        values: numbers within the range. Of a number with a step, the density is the probability
        of the whole step around the value.
        Of a logarithmic number without a step, the density is that of the value's logarithm.
        """
        step = self._number.step
        if step is None:
            offsets = self._offsets(values)
            kernels = np.exp(-(offsets**2) / 2) / self._widths
        else:
            kernels = self._ndtr(self._offsets(values + step / 2))
            kernels = kernels - self._ndtr(self._offsets(values - step / 2))
        return np.log(kernels @ (self.weights / self._masses))

    def _scaled(self, values: Values) -> Values:
        """Return values on the scale of the kernels: logarithms if the distribution has them."""
        return np.log(values) if self._number.log else values

    def _offsets(self, values: Values) -> Values:
        """Return the distances [V, K] of values [V] from the kernels' middles, in widths.

        A distance is positive if the value is above the middle.
        """
        offsets: Values = (self._scaled(values)[:, None] - self._middles) / self._widths
        return offsets


def _widths(seen: Values, low: float, high: float) -> Values:
    """Return the widths [N] of the kernels of values [N]; each is the wider gap to a neighbour.

    low, high: the ends of the range, on the scale of the values. Of two or more values the lowest
    and the highest have one neighbour each; the neighbours of a single value are the ends. A width
    is at most the range, and at least the range divided by min(N + 2, 100).
    """
    order = np.argsort(seen)
    gaps = np.diff(seen[order], prepend=low, append=high)
    if len(seen) > 1:
        gaps[0] = gaps[-1] = 0.0
    widths = np.empty(len(seen))
    widths[order] = np.maximum(gaps[:-1], gaps[1:])
    narrowest = (high - low) / min(_MOST_NARROW, len(seen) + 2.0)
    return np.clip(widths, narrowest, high - low)


def parzen_estimate(seen: Values, distribution: BaseDistribution) -> ParzenEstimate:
    """Return the estimate of a hyperparameter's density from the values [N] that were seen.

    seen: in Optuna's internal representation, in the order of the trials. If it is empty, the
    estimate is the prior alone. A distribution that is no choice and no number raises TypeError.
    """
    if isinstance(distribution, CategoricalDistribution):
        return ChoiceEstimate(seen, len(distribution.choices))
    if isinstance(distribution, (FloatDistribution, IntDistribution)):
        return NumberEstimate(seen, distribution)
    raise TypeError(f"no estimate of {distribution}")


def likeliest(good: ParzenEstimate, other: ParzenEstimate, drawn: Values) -> Any:
    """Return the drawn value with the highest ratio of its density in `good` to that in `other`.

    drawn: values [V] in Optuna's internal representation, V at least 1. The result is a float in
    the same representation.
    """
    return drawn[np.argmax(good.log_density(drawn) - other.log_density(drawn))].item()
