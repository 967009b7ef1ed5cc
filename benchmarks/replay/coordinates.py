"""Configs as vectors of numbers in 0..1, for models of how curves depend on them."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from benchmarks.replay.recorded_curves import distributions
from trainables.decision_tree import QUESTIONS

_SHARED, _EACH = "constraint_coefficient", "constraint_coefficients"


class Coordinates:
    """How the configs of one architecture become vectors.

    A choice among words is one column a word; a value that is not in use stands at 0, as the
    least of its range. The eleven constraint coefficients are those that the loss has, shared or
    not, with their mean and sum beside them.
    """

    def __init__(self, architecture: str) -> None:
        """For an architecture's declared space."""
        known = distributions(architecture)
        self._coefficient = known[_SHARED]
        self._others = {n: d for n, d in known.items() if not n.startswith(_SHARED)}

    def vector(self, config: Mapping[str, Any]) -> NDArray[np.float64]:
        """The coordinates [C] of what is searched and in use."""
        values: list[float] = []
        for name, distribution in self._others.items():
            values += _coordinates(config.get(name), distribution)
        questions = range(1, len(QUESTIONS) + 1)
        coefficients = [config.get(f"{_EACH}.{q}", config.get(_SHARED)) for q in questions]
        places = [_coordinates(c, self._coefficient)[0] for c in coefficients]
        total = sum(c for c in coefficients if c is not None)
        return np.array([*values, *places, float(np.mean(places)), 1 + math.log10(total) / 4])

    def matrix(self, configs: tuple[dict[str, Any], ...]) -> NDArray[np.float64]:
        """The coordinates [N, C] of N configs."""
        return np.stack([self.vector(config) for config in configs])


def _coordinates(value: Any, distribution: BaseDistribution) -> list[float]:
    if isinstance(distribution, CategoricalDistribution):
        if all(isinstance(c, int | float) for c in distribution.choices):
            places = sorted(distribution.choices)
            return [places.index(value) / (len(places) - 1) if value is not None else 0.0]
        return [float(choice == value) for choice in distribution.choices]
    if value is None:
        return [0.0]
    if not isinstance(distribution, FloatDistribution | IntDistribution):
        raise TypeError(f"no coordinate for {distribution!r}")
    low, high = distribution.low, distribution.high
    if distribution.log:
        return [math.log(value / low) / math.log(high / low)]
    return [(value - low) / (high - low)]
