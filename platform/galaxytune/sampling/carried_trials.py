"""Trials of earlier studies as points of a study's own search space, as far as both agree."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import CategoricalDistribution
from optuna.trial import FixedTrial

from galaxytune.plan import FirstTrial
from galaxytune.sampling.search_cube import Axis, SearchCube
from galaxytune.study import EarlierTrial
from search_spaces.declaration import SearchSpace, TrainingProtocol

Array = NDArray[np.float64]
NUM_DRAWN = 5  # configs of earlier studies that are tried before any is drawn


class CarriedTrials:
    """N trials of earlier studies, as configs of another study's search space of H axes.

    A hyperparameter carries over if the earlier config has a field of its name. A number outside
    the range is moved to the end of the range, a number that is not among the choices to the
    nearest choice. A word that is not among the choices does not carry over.

    trials: the N trials. coordinates: their coordinates [N, H] in the search space; NaN for a
    scalar that does not carry over.
    """

    def __init__(self, space: SearchSpace, trials: Sequence[EarlierTrial]) -> None:
        """Take the search space of an architecture, and the earlier trials of any architecture."""
        self.trials = tuple(trials)
        self._space, self._cube = space, SearchCube(space)
        axes = self._cube.axes
        self.coordinates: Array = np.array(
            [[self._coordinate(axis, trial.values) for axis in axes] for trial in trials]
        ).reshape(len(trials), len(axes))

    def configs(self) -> list[TrainingProtocol]:
        """Return the N configs in this search space; what does not carry over has its default."""
        return [self._config(coordinates) for coordinates in self.coordinates]

    def best(self) -> list[FirstTrial]:
        """Return the configs that were best in the earlier studies, at most five, best first.

        The best trials of the studies come in turns. Among the trials of a study those that were
        trained whole come first, then those that were trained longest, and of these the trial with
        the lowest RMSE. A scalar that does not carry over has its default. Configs that are the
        same in this search space come once.
        """
        found: list[FirstTrial] = []
        for number in _in_order_of_merit(self.trials):
            trial = self.trials[number]
            config = self._config(self.coordinates[number])
            if all(config != other.config for other in found):
                source = f"trial {trial.trial} of study {trial.study}"
                found.append(FirstTrial(config, "learned", source))
            if len(found) == NUM_DRAWN:
                break
        return found

    def sentences(self) -> list[str]:
        """Return a sentence for each earlier study on what carries over from it, and what not."""
        by_study: dict[str, list[int]] = {}
        for number, trial in enumerate(self.trials):
            by_study.setdefault(trial.study, []).append(number)
        return [self._sentence(study, numbers) for study, numbers in by_study.items()]

    def _sentence(self, study: str, numbers: Sequence[int]) -> str:
        """Return the sentence on one study, whose trials have the given numbers."""
        first = self.trials[numbers[0]]
        names = list(dict.fromkeys(_field(axis, self._space) for axis in self._cube.axes))
        lost = [name for name in names if name not in first.values]
        only_there = [name for name in first.searched if name not in names]
        kinds = sorted({str(self.trials[number].values["architecture"]) for number in numbers})
        told = (
            f"{self._space.architecture} learns from {len(numbers)} trials of study {study} "
            f"({', '.join(kinds)}): {len(names) - len(lost)} of {len(names)} searched "
            "hyperparameters carry over"
        )
        if lost:
            told += f"; the study has no {_listed(lost)}"
        if only_there:
            verb = "is" if len(only_there) == 1 else "are"
            told += f"; {_listed(only_there)} {verb} not searched here"
        moved = self._num_moved(numbers)
        if moved:
            told += f"; {moved} values lie outside the ranges here and count as the nearest value"
        return told

    def _num_moved(self, numbers: Sequence[int]) -> int:
        """Return how many values of trials are not those of their coordinates."""
        count = 0
        for number in numbers:
            for axis, coordinate in zip(self._cube.axes, self.coordinates[number]):
                given = _value(axis, self.trials[number].values, self._space)
                if given is None or _is_same(given, axis, coordinate):
                    continue
                count += 1
        return count

    def _coordinate(self, axis: Axis, values: Mapping[str, Any]) -> float:
        """Return the coordinate of an axis for the values of a config, or NaN."""
        given = _value(axis, values, self._space)
        return math.nan if given is None else nearest_coordinate(axis, given)

    def _config(self, coordinates: Array) -> TrainingProtocol:
        """Return the config with coordinates [H], with defaults for those that are NaN."""
        default = self._space.config(self._space.constants).model_dump()
        filled = [
            self._coordinate(axis, default) if math.isnan(coordinate) else coordinate
            for axis, coordinate in zip(self._cube.axes, coordinates)
        ]
        drawn = {axis.name: axis.value(c) for axis, c in zip(self._cube.axes, _known(filled))}
        return self._space.draw(FixedTrial(drawn))


def nearest_coordinate(axis: Axis, value: Any) -> float:
    """Return the coordinate of the axis's value that is nearest to a value; NaN for no such value.

    value: a value of any config, which may lie outside the range or the choices.
    """
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    distribution = axis.distribution
    if isinstance(distribution, CategoricalDistribution):
        if value in distribution.choices:
            return axis.coordinate(value)
        numbers = [c for c in distribution.choices if isinstance(c, int | float)]
        if not is_number or len(numbers) != len(distribution.choices):
            return math.nan
        return axis.coordinate(min(numbers, key=lambda choice: abs(choice - value)))
    if not is_number:
        return math.nan
    low, high = distribution.low, distribution.high
    return axis.coordinate(min(max(value, low), high))


def _known(coordinates: Sequence[float]) -> list[float]:
    """Return coordinates in which NaN, the coordinate of a default outside the space, is 0."""
    return [0.0 if math.isnan(coordinate) else coordinate for coordinate in coordinates]


def _field(axis: Axis, space: SearchSpace) -> str:
    """Return the name of the field that an axis is a scalar of."""
    return axis.name.removeprefix(space.prefix).partition(".")[0]


def _value(axis: Axis, values: Mapping[str, Any], space: SearchSpace) -> Any:
    """Return the value of an axis's scalar among a config's values; None if there is none."""
    name, _, place = axis.name.removeprefix(space.prefix).partition(".")
    given = values.get(name)
    if not place or given is None:
        return given
    return given[int(place) - 1] if isinstance(given, list | tuple) else None


def _is_same(given: Any, axis: Axis, coordinate: float) -> bool:
    """Return whether a value is that of its coordinate, up to rounding."""
    if math.isnan(coordinate):
        return False
    here = axis.value(coordinate)
    if isinstance(here, float) and isinstance(given, int | float):
        return math.isclose(here, given, rel_tol=1e-6, abs_tol=1e-12)
    return bool(here == given)


def _in_order_of_merit(trials: Sequence[EarlierTrial]) -> list[int]:
    """Return the numbers of trials, the best of each study in turns (see `CarriedTrials.best`)."""

    def merit(number: int) -> tuple[bool, float, float]:
        trial = trials[number]
        share = len(trial.curve) / trial.num_epochs
        return not trial.is_whole, -share if not trial.is_whole else 0.0, min(trial.curve)

    by_study: dict[str, list[int]] = {}
    for number in sorted(range(len(trials)), key=merit):
        by_study.setdefault(trials[number].study, []).append(number)
    most = max(map(len, by_study.values()), default=0)
    return [numbers[i] for i in range(most) for numbers in by_study.values() if i < len(numbers)]


def _listed(names: Sequence[str]) -> str:
    """Return names as a list in words."""
    *rest, last = names
    return f"{', '.join(rest)} and {last}" if rest else last
