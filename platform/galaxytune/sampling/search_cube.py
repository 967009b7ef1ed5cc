"""The search space of one architecture as a cube: each searched scalar is a coordinate in 0..1.

A model of configs learns from coordinates. A logarithmic range is even in the logarithm, and
choices among numbers keep their order.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from search_spaces.declaration import SearchSpace

Coordinates = NDArray[np.float64]
_NOT_IN_USE = 0.5  # the model's input for a scalar that a config does not use
# A config near another one: which share of its scalars moves, and by which share of their range.
_MOVING, _STEPS = (0.1, 0.25, 0.5), (0.05, 0.1, 0.2)


class Axis:
    """One scalar of a search space: its values and their coordinates in 0..1."""

    def __init__(self, name: str, distribution: BaseDistribution) -> None:
        """Take Optuna's name of the scalar and its distribution.

        A distribution that Optuna's samplers do not draw raises TypeError.
        """
        if not isinstance(
            distribution, CategoricalDistribution | FloatDistribution | IntDistribution
        ):
            raise TypeError(f"no axis of {distribution!r}")
        self.name, self.distribution = name, distribution
        self._choices: list[Any] = _choices(distribution)
        self.levels: Coordinates | None = None  # of all values, where the values can be counted
        if self._choices:
            self.levels = np.array([self.coordinate(choice) for choice in self._choices])

    @property
    def is_of_words(self) -> bool:
        """Whether the values are three or more words, which have no order."""
        are_words = any(isinstance(choice, str) for choice in self._choices)
        return are_words and len(self._choices) > 2

    def coordinate(self, value: Any) -> float:
        """Return the coordinate of a value, in 0..1."""
        if isinstance(self.distribution, CategoricalDistribution):
            return self._choices.index(value) / max(1, len(self._choices) - 1)
        low, high = self.distribution.low, self.distribution.high
        if low == high:
            return 0.0
        if self.distribution.log:
            return math.log(value / low) / math.log(high / low)
        return float(value - low) / (high - low)

    def coordinates_of(self, values: Sequence[Any]) -> Coordinates:
        """Return the coordinates of those values that the scalar can have."""
        if self._choices:
            return np.array([self.coordinate(v) for v in values if v in self._choices])
        low, high = self.distribution.low, self.distribution.high  # type: ignore[union-attr]
        return np.array([self.coordinate(v) for v in values if low <= v <= high])

    def value(self, coordinate: float) -> Any:
        """Return the value whose coordinate is nearest to the given one."""
        if self.levels is not None:
            return self._choices[int(np.argmin(abs(self.levels - coordinate)))]
        low, high = self.distribution.low, self.distribution.high  # type: ignore[union-attr]
        is_log = self.distribution.log  # type: ignore[union-attr]
        value = low * (high / low) ** coordinate if is_log else low + coordinate * (high - low)
        return float(min(max(value, low), high))

    def draw(self, chance: np.random.Generator, count: int) -> Coordinates:
        """Return `count` random coordinates, distributed as Optuna's random draws are."""
        if self.levels is None:
            return chance.random(count)
        return chance.choice(self.levels, size=count, p=self._chances)

    def snapped(self, coordinates: Coordinates) -> Coordinates:
        """Return for each coordinate the nearest one that a value has."""
        if self.levels is None:
            return np.clip(coordinates, 0, 1)
        return self.levels[np.argmin(abs(coordinates[:, None] - self.levels), axis=1)]

    @cached_property
    def _chances(self) -> Coordinates:
        """The probability of each level in Optuna's random draw."""
        if not (isinstance(self.distribution, IntDistribution) and self.distribution.log):
            return np.full(len(self._choices), 1 / len(self._choices))
        values = np.array(self._choices, float)
        widths = np.log((values + 0.5) / (values - 0.5))
        chances: Coordinates = widths / widths.sum()
        return chances


@dataclass(frozen=True)
class _Need:
    """The condition on which an axis is in use: another axis has one of some coordinates.

    column: number of the other axis. coordinates: of the values that the condition names.
    by_default: whether the axis is in use where the other axis is not, so that the other field
    has its default.
    """

    column: int
    coordinates: Coordinates
    by_default: bool


class SearchCube:
    """The H searched scalars of one architecture, as axes.

    The coordinates of N configs are an array [N, H]; NaN marks a scalar that a config does not
    use.
    """

    def __init__(self, space: SearchSpace) -> None:
        """Take the searched fields of a search space, without those that a fixed one rules out."""
        prefix, fields = space.prefix, space.config_class.model_fields
        held = {name: field.default for name, field in fields.items()} | dict(space.fixed)
        self.axes: list[Axis] = []
        self._column: dict[str, int] = {}
        self._needs: list[_Need | None] = []  # by axis
        for parameter in space.hyperparameters:
            need, is_default = None, parameter.in_use(held)
            if parameter.condition is not None:
                column = self._column.get(prefix + parameter.condition.field)
                if column is not None:
                    wanted = self.axes[column].coordinates_of(parameter.condition.values)
                    need = _Need(column, wanted, is_default)
            if need is None and not is_default:
                continue
            for entry in parameter.entries():
                self._column[prefix + entry] = len(self.axes)
                self.axes.append(Axis(prefix + entry, parameter.distribution))
                self._needs.append(need)

    @property
    def distributions(self) -> dict[str, BaseDistribution]:
        """The distribution of each axis, by Optuna's name."""
        return {axis.name: axis.distribution for axis in self.axes}

    def coordinates(self, params: Mapping[str, Any]) -> Coordinates:
        """Return the coordinates [H] of a trial's parameters, given by Optuna's names."""
        return np.array(
            [
                axis.coordinate(params[axis.name]) if axis.name in params else math.nan
                for axis in self.axes
            ]
        )

    def values(self, coordinates: Coordinates) -> dict[str, Any]:
        """Return the values of one config's coordinates [H], by Optuna's names.

        A scalar that the config does not use is left out.
        """
        in_use = self._in_use(coordinates[None])[0]
        return {
            axis.name: axis.value(coordinate)
            for axis, coordinate, is_used in zip(self.axes, coordinates, in_use)
            if is_used
        }

    def inputs(self, coordinates: Coordinates) -> NDArray[np.float64]:
        """Return what a model learns from: coordinates [N, H] as inputs [N, C].

        Three or more words become one column each, which is 1 for the config's word and else 0. A
        scalar that a config does not use becomes 0.5.
        """
        used = self._in_use(coordinates)
        known = np.where(used, coordinates, _NOT_IN_USE)
        columns = [
            used[:, [c]] & (known[:, [c]] == axis.levels) if axis.is_of_words else known[:, [c]]
            for c, axis in enumerate(self.axes)
        ]
        return np.hstack(columns).astype(float)

    def draw(self, chance: np.random.Generator, count: int) -> Coordinates:
        """Return the coordinates [count, H] of random configs."""
        return np.column_stack([axis.draw(chance, count) for axis in self.axes])

    def near(self, chance: np.random.Generator, centres: Coordinates, count: int) -> Coordinates:
        """Return the coordinates [count, H] of configs that resemble one of the centres [B, H].

        Some scalars of each config are moved or drawn anew; the others equal those of its centre.
        """
        anew = self.draw(chance, count)
        start = centres[chance.integers(len(centres), size=count)]
        start = np.where(np.isnan(start), anew, start)
        moving = chance.choice(_MOVING, size=(count, 1)) > chance.random(start.shape)
        steps = chance.choice(_STEPS, size=(count, 1)) * chance.standard_normal(start.shape)
        for column, axis in enumerate(self.axes):
            if not isinstance(axis.distribution, CategoricalDistribution):
                anew[:, column] = axis.snapped(start[:, column] + steps[:, column])
        return np.where(moving, anew, start)

    def hold(self, coordinates: Coordinates, values: Mapping[str, Any]) -> Coordinates:
        """Return a copy of coordinates [N, H] in which all configs have the given values.

        values: by Optuna's names; names of other parameters are passed over.
        """
        held = coordinates.copy()
        for name, value in values.items():
            if name in self._column:
                held[:, self._column[name]] = self.axes[self._column[name]].coordinate(value)
        return held

    def _in_use(self, coordinates: Coordinates) -> NDArray[np.bool_]:
        """Return [N, H], whether each config uses each scalar."""
        used = ~np.isnan(coordinates)
        for column, need in enumerate(self._needs):
            if need is not None:
                has_it = np.isin(coordinates[:, need.column], need.coordinates)
                used[:, column] &= np.where(used[:, need.column], has_it, need.by_default)
        return used


def _choices(distribution: BaseDistribution) -> list[Any]:
    """Return all values of a distribution, numbers in their order; [] of a continuous range."""
    if isinstance(distribution, CategoricalDistribution):
        choices = list(distribution.choices)
        return sorted(choices) if all(isinstance(c, int | float) for c in choices) else choices
    if isinstance(distribution, IntDistribution):
        return list(range(distribution.low, distribution.high + 1, distribution.step))
    if isinstance(distribution, FloatDistribution) and distribution.single():
        return [distribution.low]
    if isinstance(distribution, FloatDistribution) and distribution.step is not None:
        count = round((distribution.high - distribution.low) / distribution.step) + 1
        return [distribution.low + i * distribution.step for i in range(count)]
    return []
