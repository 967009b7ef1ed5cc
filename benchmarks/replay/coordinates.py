"""Configs as vectors of numbers in 0..1, for models of how curves depend on them."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import CategoricalDistribution

from benchmarks.replay.recorded_curves import distributions
from galaxytune.sampling.search_cube import Axis
from trainables.decision_tree import QUESTIONS

_SHARED, _EACH = "constraint_coefficient", "constraint_coefficients"


class Coordinates:
    """A map from the configs of one architecture to vectors.

    A choice among words is one column a word; a value that is not in use stands at 0, as the
    least of its range. The eleven constraint coefficients are those that the loss has, shared or
    not, with their mean and sum beside them.
    """

    def __init__(self, architecture: str) -> None:
        """For an architecture's declared space."""
        known = distributions(architecture)
        self._coefficient = Axis(_SHARED, known[_SHARED])
        self._others = [Axis(n, d) for n, d in known.items() if not n.startswith(_SHARED)]

    def vector(self, config: Mapping[str, Any]) -> NDArray[np.float64]:
        """The coordinates [C] of what is searched and in use."""
        values: list[float] = []
        for axis in self._others:
            values += _coordinates(config.get(axis.name), axis)
        questions = range(1, len(QUESTIONS) + 1)
        coefficients = [config.get(f"{_EACH}.{q}", config.get(_SHARED)) for q in questions]
        places = [_coordinates(c, self._coefficient)[0] for c in coefficients]
        total = sum(c for c in coefficients if c is not None)
        in_all = max(0.0, 1 + math.log10(total) / 4) if total else 0.0  # no tree head has any
        return np.array([*values, *places, float(np.mean(places)), in_all])

    def matrix(self, configs: tuple[dict[str, Any], ...]) -> NDArray[np.float64]:
        """The coordinates [N, C] of N configs."""
        return np.stack([self.vector(config) for config in configs])


def _coordinates(value: Any, axis: Axis) -> list[float]:
    distribution = axis.distribution
    if isinstance(distribution, CategoricalDistribution) and isinstance(
        distribution.choices[0], str
    ):
        return [float(choice == value) for choice in distribution.choices]
    return [0.0 if value is None else axis.coordinate(value)]
