"""The search space of one architecture as a cube: each searched scalar is a coordinate in 0..1.

A model of configs learns from coordinates. The coordinate of a number in a range grows evenly with
the number, or with its logarithm if the range is logarithmic. The coordinates of choices lie at
equal distances. Choices that are all numbers come in rising order, other choices as declared.
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
# For a config near another config: the probability that a scalar changes, and the standard
# deviation of the change, as a fraction of the scalar's range.
_MOVING, _STEPS = (0.1, 0.25, 0.5), (0.05, 0.1, 0.2)


class Axis:
    """A scalar of a search space, with its values and their coordinates in 0..1.

    name: Optuna's name of the scalar.
    distribution: the distribution of the scalar.
    levels: the coordinates of all values, in the order of the values; None for a float without a
        step, whose values cannot be counted.
    """

    def __init__(self, name: str, distribution: BaseDistribution) -> None:
        """Take Optuna's name of the scalar and its distribution.

        A distribution that is no choice, float or int raises TypeError.
        """
        if not isinstance(
            distribution, CategoricalDistribution | FloatDistribution | IntDistribution
        ):
            raise TypeError(f"no axis of {distribution!r}")
        self.name, self.distribution = name, distribution
        self._choices: list[Any] = _choices(distribution)
        self.levels: Coordinates | None = None
        if self._choices:
            self.levels = np.array([self.coordinate(choice) for choice in self._choices])

    @property
    def is_of_words(self) -> bool:
        """True if there are three or more choices of which at least one is a text.

        Such choices have no order, so `SearchCube.inputs` gives each of them a column.
        """
        are_words = any(isinstance(choice, str) for choice in self._choices)
        return are_words and len(self._choices) > 2

    def coordinate(self, value: Any) -> float:
        """Return the coordinate of a value, in 0..1; 0 if the scalar has only one value.

        value: a value of the distribution. A value that is not among the choices raises
        ValueError. A number outside the range gets a coordinate outside 0..1; a number that is not
        positive raises ValueError if the range is logarithmic.
        """
        if isinstance(self.distribution, CategoricalDistribution):
            return self._choices.index(value) / max(1, len(self._choices) - 1)
        low, high = self.distribution.low, self.distribution.high
        if low == high:
            return 0.0
        if self.distribution.log:
            return math.log(value / low) / math.log(high / low)
        return float(value - low) / (high - low)

    def coordinates_of(self, values: Sequence[Any]) -> Coordinates:
        """Return the coordinates of those of the given values that the scalar can have.

        The coordinates are in the order of `values`; the array is empty if there is no such value.
        """
        if self._choices:
            return np.array([self.coordinate(v) for v in values if v in self._choices])
        low, high = self.distribution.low, self.distribution.high  # type: ignore[union-attr]
        return np.array([self.coordinate(v) for v in values if low <= v <= high])

    def value(self, coordinate: float) -> Any:
        """Return the value of the distribution whose coordinate is nearest to the given one.

        coordinate: may lie outside 0..1, must not be NaN. Of two values that are equally near, the
        value with the lower coordinate is returned.
        """
        if self.levels is not None:
            return self._choices[int(np.argmin(abs(self.levels - coordinate)))]
        low, high = self.distribution.low, self.distribution.high  # type: ignore[union-attr]
        is_log = self.distribution.log  # type: ignore[union-attr]
        value = low * (high / low) ** coordinate if is_log else low + coordinate * (high - low)
        return float(min(max(value, low), high))

    def draw(self, chance: np.random.Generator, count: int) -> Coordinates:
        """Return the coordinates [count] of values drawn as Optuna's random sampler draws them.

        `chance` changes its state.
        """
        if self.levels is None:
            return chance.random(count)
        return chance.choice(self.levels, size=count, p=self._chances)

    def snapped(self, coordinates: Coordinates) -> Coordinates:
        """Return for each of the coordinates [N] the nearest coordinate that a value has.

        coordinates: may lie outside 0..1.
        """
        if self.levels is None:
            return np.clip(coordinates, 0, 1)
        return self.levels[np.argmin(abs(coordinates[:, None] - self.levels), axis=1)]

    @cached_property
    def _chances(self) -> Coordinates:
        """The probability of each of `levels` in Optuna's random draw.

        The property needs `levels`. The probabilities are equal, except for logarithmic integers:
        Optuna draws a float in the logarithmic range, widened by 0.5 at both ends, and rounds it.
        """
        if not (isinstance(self.distribution, IntDistribution) and self.distribution.log):
            return np.full(len(self._choices), 1 / len(self._choices))
        values = np.array(self._choices, float)
        widths = np.log((values + 0.5) / (values - 0.5))
        chances: Coordinates = widths / widths.sum()
        return chances


@dataclass(frozen=True)
class _Need:
    """A condition under which an axis is in use: another axis has one of some coordinates.

    column: number of the other axis, counted from 0.
    coordinates: the coordinates of the values that the condition names.
    by_default: whether the condition holds in a config that does not use the other axis. The field
        of the other axis then has its default.
    """

    column: int
    coordinates: Coordinates
    by_default: bool


class SearchCube:
    """The H searched scalars of one architecture, as axes of a cube.

    The coordinates of N configs are an array [N, H] with a column for each axis. NaN marks a
    scalar that a config does not use. A coordinate that is not NaN may also stand for a scalar
    that the config does not use because of another scalar's value; `values` and `inputs` take this
    into account.

    axes: the H axes, in the order of declaration. H may be 0, but then `inputs`, `draw` and `near`
        raise ValueError.
    """

    def __init__(self, space: SearchSpace) -> None:
        """Make an axis for each scalar of the searched fields of a search space.

        A field is left out if one of its conditions is on a field that is not searched and whose
        value, a fixed value or the default, does not fulfil the condition.
        """
        prefix, fields = space.prefix, space.config_class.model_fields
        held = {name: field.default for name, field in fields.items()} | dict(space.fixed)
        self.axes: list[Axis] = []
        self._column: dict[str, int] = {}
        self._needs: list[list[_Need]] = []  # one list for each axis
        for parameter in space.hyperparameters:
            needs: list[_Need] = []
            is_possible = True
            for needed in parameter.conditions:
                column = self._column.get(prefix + needed.field)
                by_default = held[needed.field] in needed.values
                if column is None:
                    is_possible = is_possible and by_default
                else:
                    wanted = self.axes[column].coordinates_of(needed.values)
                    needs.append(_Need(column, wanted, by_default))
            for entry in parameter.entries() if is_possible else ():
                self._column[prefix + entry] = len(self.axes)
                self.axes.append(Axis(prefix + entry, parameter.distribution))
                self._needs.append(needs)

    @property
    def distributions(self) -> dict[str, BaseDistribution]:
        """The distribution of each axis, by Optuna's name, as a new mapping; {} without axes."""
        return {axis.name: axis.distribution for axis in self.axes}

    def coordinates(self, params: Mapping[str, Any]) -> Coordinates:
        """Return the coordinates [H] of a trial's parameters.

        params: values by Optuna's names. An axis that is missing there gets NaN; other names are
        not used. ValueError is raised as `Axis.coordinate` says.
        """
        return np.array(
            [
                axis.coordinate(params[axis.name]) if axis.name in params else math.nan
                for axis in self.axes
            ]
        )

    def values(self, coordinates: Coordinates) -> dict[str, Any]:
        """Return the values of one config by Optuna's names.

        coordinates: the config's coordinates [H]. A scalar that the config does not use is left
        out, so the mapping may be {}.
        """
        in_use = self._in_use(coordinates[None])[0]
        return {
            axis.name: axis.value(coordinate)
            for axis, coordinate, is_used in zip(self.axes, coordinates, in_use)
            if is_used
        }

    def inputs(self, coordinates: Coordinates) -> NDArray[np.float64]:
        """Return the inputs [N, C] in 0..1 by which a model knows N configs.

        coordinates: the configs' coordinates [N, H]. An axis of words (see
        `Axis.is_of_words`) has a column for each choice. The column of the config's choice is 1,
        the others are 0; all are 0 if the config does not use the scalar. Any other axis has one
        column, which is the coordinate, or 0.5 if the config does not use the scalar.
        """
        used = self._in_use(coordinates)
        known = np.where(used, coordinates, _NOT_IN_USE)
        columns = [
            used[:, [c]] & (known[:, [c]] == axis.levels) if axis.is_of_words else known[:, [c]]
            for c, axis in enumerate(self.axes)
        ]
        return np.hstack(columns).astype(float)

    def draw(self, chance: np.random.Generator, count: int) -> Coordinates:
        """Return the coordinates [count, H] of configs drawn as Optuna's random sampler does.

        All scalars are drawn, also those that a config does not use. `chance` changes its state.
        """
        return np.column_stack([axis.draw(chance, count) for axis in self.axes])

    def near(self, chance: np.random.Generator, centres: Coordinates, count: int) -> Coordinates:
        """Return the coordinates [count, H] of configs that each resemble one of the centres.

        centres: coordinates [B, H] of configs, B at least 1, else ValueError is raised. Each
        config has a centre that is chosen at random. A scalar of the config changes with a
        probability of 0.1, 0.25 or 0.5 and otherwise equals the centre's scalar. A choice changes
        to a random choice. A number changes by a normal step, whose standard deviation is 0.05,
        0.1 or 0.2 of the range. Scalars that are NaN in the centre are drawn at random, so the
        result has no NaN. `chance` changes its state.
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

        values: by Optuna's names; names without an axis are not used. ValueError is raised as
        `Axis.coordinate` says.
        """
        held = coordinates.copy()
        for name, value in values.items():
            if name in self._column:
                held[:, self._column[name]] = self.axes[self._column[name]].coordinate(value)
        return held

    def _in_use(self, coordinates: Coordinates) -> NDArray[np.bool_]:
        """Return for N configs with coordinates [N, H] whether each scalar is used, as [N, H]."""
        used = ~np.isnan(coordinates)
        for column, needs in enumerate(self._needs):
            for need in needs:
                has_it = np.isin(coordinates[:, need.column], need.coordinates)
                used[:, column] &= np.where(used[:, need.column], has_it, need.by_default)
        return used


def _choices(distribution: BaseDistribution) -> list[Any]:
    """Return all values of a distribution: numbers in rising order, other choices as declared.

    The list is empty for a float without a step, unless its range is a single value, and for a
    distribution that is no choice, float or int.
    """
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
