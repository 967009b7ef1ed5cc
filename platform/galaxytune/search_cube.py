"""One architecture's search space as a cube: every searched scalar a place in 0..1.

Places are what a model of configs learns from; logarithmic ranges are even in the logarithm, and
choices among numbers stand in their order.
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

from search_spaces.declaration.frozen_config import FrozenConfig
from search_spaces.declaration.hyperparameters import hyperparameters

Places = NDArray[np.float64]
_NOT_IN_USE = 0.5  # the coordinate of what a config does not use
# Of a config near another: which share of its scalars moves, and by how much of their range.
_MOVING, _STEPS = (0.1, 0.25, 0.5), (0.05, 0.1, 0.2)


class Axis:
    """One scalar: its values and their places."""

    def __init__(self, name: str, distribution: BaseDistribution) -> None:
        """`name` is Optuna's; TypeError for a distribution that Optuna's samplers do not draw."""
        if not isinstance(
            distribution, CategoricalDistribution | FloatDistribution | IntDistribution
        ):
            raise TypeError(f"no axis of {distribution!r}")
        self.name, self.distribution = name, distribution
        self._choices: list[Any] = _choices(distribution)
        self.levels: Places | None = None  # places of all values, where they can be counted
        if self._choices:
            self.levels = np.array([self.place(choice) for choice in self._choices])

    @property
    def is_of_words(self) -> bool:
        """Whether its values are three or more words, which have no order."""
        are_words = any(isinstance(choice, str) for choice in self._choices)
        return are_words and len(self._choices) > 2

    def place(self, value: Any) -> float:
        """Where in 0..1 a value lies."""
        if isinstance(self.distribution, CategoricalDistribution):
            return self._choices.index(value) / max(1, len(self._choices) - 1)
        low, high = self.distribution.low, self.distribution.high
        if low == high:
            return 0.0
        if self.distribution.log:
            return math.log(value / low) / math.log(high / low)
        return float(value - low) / (high - low)

    def places_of(self, values: Sequence[Any]) -> Places:
        """The places of those values that it can have."""
        if self._choices:
            return np.array([self.place(v) for v in values if v in self._choices])
        low, high = self.distribution.low, self.distribution.high  # type: ignore[union-attr]
        return np.array([self.place(v) for v in values if low <= v <= high])

    def value(self, place: float) -> Any:
        """What lies at a place, or nearest to it."""
        if self.levels is not None:
            return self._choices[int(np.argmin(abs(self.levels - place)))]
        low, high = self.distribution.low, self.distribution.high  # type: ignore[union-attr]
        is_log = self.distribution.log  # type: ignore[union-attr]
        value = low * (high / low) ** place if is_log else low + place * (high - low)
        return float(min(max(value, low), high))

    def draw(self, chance: np.random.Generator, count: int) -> Places:
        """So many places, spread as Optuna's random draws are."""
        if self.levels is None:
            return chance.random(count)
        return chance.choice(self.levels, size=count, p=self._chances)

    def snapped(self, places: Places) -> Places:
        """The nearest places that a value has."""
        if self.levels is None:
            return np.clip(places, 0, 1)
        return self.levels[np.argmin(abs(places[:, None] - self.levels), axis=1)]

    @cached_property
    def _chances(self) -> Places:
        """How likely Optuna's random draw is to take each level."""
        if not (isinstance(self.distribution, IntDistribution) and self.distribution.log):
            return np.full(len(self._choices), 1 / len(self._choices))
        values = np.array(self._choices, float)
        widths = np.log((values + 0.5) / (values - 0.5))
        chances: Places = widths / widths.sum()
        return chances


@dataclass(frozen=True)
class _Need:
    """An axis is in use where another has one of these places.

    by_default: whether it is in use where the other is not, and so has its default.
    """

    column: int
    places: Places
    by_default: bool


class SearchCube:
    """The searched scalars of one architecture, H of them, as axes.

    Places of N configs are [N, H]; NaN is a scalar that a config does not use.
    """

    def __init__(
        self, config_class: type[FrozenConfig], fixed: Mapping[str, Any], *, prefix: str
    ) -> None:
        """What is `fixed` is no axis, nor what it rules out; `prefix` begins Optuna's names."""
        held = {name: field.default for name, field in config_class.model_fields.items()}
        held |= fixed
        self.axes: list[Axis] = []
        self._column: dict[str, int] = {}
        self._needs: list[_Need | None] = []  # by axis
        for parameter in hyperparameters(config_class):
            need, is_default = None, parameter.in_use(held)
            if parameter.condition is not None:
                column = self._column.get(prefix + parameter.condition.field)
                if column is not None:
                    wanted = self.axes[column].places_of(parameter.condition.values)
                    need = _Need(column, wanted, is_default)
            if parameter.name in fixed or (need is None and not is_default):
                continue
            for entry in parameter.entries():
                self._column[prefix + entry] = len(self.axes)
                self.axes.append(Axis(prefix + entry, parameter.distribution))
                self._needs.append(need)

    @property
    def distributions(self) -> dict[str, BaseDistribution]:
        """Optuna's, by its names."""
        return {axis.name: axis.distribution for axis in self.axes}

    def places(self, params: Mapping[str, Any]) -> Places:
        """The places [H] of a trial's parameters."""
        return np.array(
            [
                axis.place(params[axis.name]) if axis.name in params else math.nan
                for axis in self.axes
            ]
        )

    def values(self, places: Places) -> dict[str, Any]:
        """The values of one config's places [H], of the scalars that it uses."""
        in_use = self._in_use(places[None])[0]
        return {
            axis.name: axis.value(place)
            for axis, place, is_used in zip(self.axes, places, in_use)
            if is_used
        }

    def coordinates(self, places: Places) -> Places:
        """What a model is to learn from, [N, C]: words are a column each."""
        used = self._in_use(places)
        known = np.where(used, places, _NOT_IN_USE)
        columns = [
            used[:, [c]] & (known[:, [c]] == axis.levels) if axis.is_of_words else known[:, [c]]
            for c, axis in enumerate(self.axes)
        ]
        return np.hstack(columns).astype(float)

    def draw(self, chance: np.random.Generator, count: int) -> Places:
        """So many random configs."""
        return np.column_stack([axis.draw(chance, count) for axis in self.axes])

    def near(self, chance: np.random.Generator, centres: Places, count: int) -> Places:
        """So many configs, each like one of the centres [B, H] but for some of its scalars."""
        anew = self.draw(chance, count)
        start = centres[chance.integers(len(centres), size=count)]
        start = np.where(np.isnan(start), anew, start)
        moving = chance.choice(_MOVING, size=(count, 1)) > chance.random(start.shape)
        steps = chance.choice(_STEPS, size=(count, 1)) * chance.standard_normal(start.shape)
        for column, axis in enumerate(self.axes):
            if not isinstance(axis.distribution, CategoricalDistribution):
                anew[:, column] = axis.snapped(start[:, column] + steps[:, column])
        return np.where(moving, anew, start)

    def hold(self, places: Places, values: Mapping[str, Any]) -> Places:
        """The configs [N, H] with some values, by Optuna's names, put in all of them."""
        held = places.copy()
        for name, value in values.items():
            if name in self._column:
                held[:, self._column[name]] = self.axes[self._column[name]].place(value)
        return held

    def _in_use(self, places: Places) -> NDArray[np.bool_]:
        """[N, H], which scalars the others leave in use."""
        used = ~np.isnan(places)
        for column, need in enumerate(self._needs):
            if need is not None:
                has_it = np.isin(places[:, need.column], need.places)
                used[:, column] &= np.where(used[:, need.column], has_it, need.by_default)
        return used


def _choices(distribution: BaseDistribution) -> list[Any]:
    """All values, if they can be counted; numbers in their order."""
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
