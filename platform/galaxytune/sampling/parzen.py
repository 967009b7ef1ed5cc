"""Parzen estimates of the density of one hyperparameter's values, as TPE computes them.

The method is that of Bergstra et al. 2011 (NeurIPS) with the choices that Optuna 5 makes. Each
value is the middle of a normal kernel that is cut off at the ends of the range and is as wide as
the gap to the farther neighbour; one more kernel, the prior, covers the whole range. Optuna's own
classes are made for many hyperparameters at once and take three to five times as long for one.
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
    """A mixture of kernels over values in Optuna's internal representation."""

    def __init__(self, num_seen: int) -> None:
        """Weigh `num_seen` values in the order of their trials, and the prior, which is last."""
        weights = np.append(trial_weights(num_seen), _PRIOR_WEIGHT)
        self.weights: Values = weights / weights.sum()

    @abstractmethod
    def draw(self, chance: np.random.RandomState, count: int) -> Values:
        """Return `count` values that are drawn from the mixture."""

    @abstractmethod
    def log_density(self, values: Values) -> Values:
        """Return the logarithm of the density at each value, up to a constant."""


class ChoiceEstimate(ParzenEstimate):
    """The density of a choice: how often each choice was seen, with the prior spread over all."""

    def __init__(self, seen: Values, num_choices: int) -> None:
        """Take the numbers of the choices that were seen, counted from 0."""
        super().__init__(len(seen))
        num_kernels = len(seen) + 1
        kernels = np.full((num_kernels, num_choices), _PRIOR_WEIGHT / num_kernels)
        kernels[np.arange(len(seen)), seen.astype(int)] += 1
        self._kernels = kernels / kernels.sum(axis=1, keepdims=True)
        self._log_densities = np.log(self.weights @ self._kernels)

    def draw(self, chance: np.random.RandomState, count: int) -> Values:
        """Return `count` numbers of choices."""
        kernels = chance.choice(len(self.weights), p=self.weights, size=count)
        quantiles = chance.rand(count)[:, None]
        below = np.cumsum(self._kernels[kernels, :-1], axis=1) < quantiles
        numbers: Values = below.sum(axis=1).astype(float)
        return numbers

    def log_density(self, values: Values) -> Values:
        """Return the logarithm of the probability of each choice, given by its number."""
        return self._log_densities[values.astype(int)]


class NumberEstimate(ParzenEstimate):
    """The density of a number: normal kernels within its range, perhaps on a logarithmic scale."""

    def __init__(self, seen: Values, number: FloatDistribution | IntDistribution) -> None:
        """Take the values that were seen; the distribution gives range, scale and step."""
        super().__init__(len(seen))
        from scipy.special import ndtr, ndtri  # .15 s that no search should wait for at its start

        self._ndtr, self._ndtri, self._number = ndtr, ndtri, number
        half = (number.step or 0) / 2
        low, high = self._scaled(np.array([number.low - half, number.high + half], float))
        seen = np.clip(self._scaled(seen), low, high)
        self._middles = np.append(seen, (low + high) / 2)
        self._widths = np.append(_widths(seen, low, high), high - low)
        self._lowest: Values = ndtr((low - self._middles) / self._widths)
        self._masses: Values = ndtr((high - self._middles) / self._widths) - self._lowest

    def draw(self, chance: np.random.RandomState, count: int) -> Values:
        """Return `count` numbers within the range, on its steps."""
        kernels = chance.choice(len(self.weights), p=self.weights, size=count)
        quantiles = self._lowest[kernels] + chance.uniform(size=count) * self._masses[kernels]
        drawn = self._middles[kernels] + self._widths[kernels] * self._ndtri(quantiles)
        drawn = np.exp(drawn) if self._number.log else drawn
        low, high, step = self._number.low, self._number.high, self._number.step
        if step is not None:
            drawn = low + np.round((drawn - low) / step) * step
        return np.clip(drawn, low, high)

    def log_density(self, values: Values) -> Values:
        """Return the logarithm of the density, or of a step's mass, up to a constant."""
        step = self._number.step
        if step is None:
            offsets = self._offsets(values)
            kernels = np.exp(-(offsets**2) / 2) / self._widths
        else:
            kernels = self._ndtr(self._offsets(values + step / 2))
            kernels = kernels - self._ndtr(self._offsets(values - step / 2))
        return np.log(kernels @ (self.weights / self._masses))

    def _scaled(self, values: Values) -> Values:
        return np.log(values) if self._number.log else values

    def _offsets(self, values: Values) -> Values:
        """Return how many widths values [V] are away from the middles [K], as [V, K]."""
        offsets: Values = (self._scaled(values)[:, None] - self._middles) / self._widths
        return offsets


def _widths(seen: Values, low: float, high: float) -> Values:
    """Return the width of each value's kernel: the wider of the gaps to both neighbours.

    Of two or more values the lowest and the highest have one neighbour each.
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
    """Return the estimate of values [N] in Optuna's internal representation.

    A distribution that is no choice and no number raises TypeError.
    """
    if isinstance(distribution, CategoricalDistribution):
        return ChoiceEstimate(seen, len(distribution.choices))
    if isinstance(distribution, (FloatDistribution, IntDistribution)):
        return NumberEstimate(seen, distribution)
    raise TypeError(f"no estimate of {distribution}")


def likeliest(good: ParzenEstimate, other: ParzenEstimate, drawn: Values) -> Any:
    """Return the drawn value whose density in `good` is highest against that in `other`."""
    return drawn[np.argmax(good.log_density(drawn) - other.log_density(drawn))].item()
