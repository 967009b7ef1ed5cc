"""A grid: every combination of some values is one trial of an architecture, none is drawn."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

Grid = tuple[dict[str, list[Any]], ...]


def grid_points(grid: Grid) -> list[dict[str, Any]]:
    """All combinations of each mapping in turn; the last key varies fastest, as in loops."""
    return [
        dict(zip(values, combination))
        for values in grid
        for combination in itertools.product(*values.values())
    ]


def architecture_points(
    grid: Grid, architectures: Sequence[str]
) -> list[tuple[dict[str, Any], str]]:
    """Each point with each architecture, or with the one that the point itself names."""
    return [
        (point, name)
        for point in grid_points(grid)
        for name in ([point["architecture"]] if "architecture" in point else architectures)
    ]


def grid_choices(grid: Grid) -> dict[str, list[Any]]:
    """Every value that a key takes anywhere in the grid, in order of appearance."""
    choices: dict[str, list[Any]] = {}
    for values in grid:
        for key, given in values.items():
            known = choices.setdefault(key, [])
            known.extend(value for value in given if value not in known)
    return choices


def as_grid(given: Any) -> Any:
    """A plan's `grid` in its full form: one mapping alone stands for a list of one."""
    return [given] if isinstance(given, Mapping) else given


def check_grid(grid: Grid) -> None:
    """ValueError if a key has no list of values, or an empty one."""
    for values in grid:
        for key, given in values.items():
            if not isinstance(given, Sequence) or isinstance(given, str) or not given:
                raise ValueError(f"grid: {key} needs a list of values, got {given!r}")
