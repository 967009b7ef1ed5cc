"""A grid: every combination of the given values is one trial, and no value is drawn."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from search_spaces.declaration import InvalidInput

Grid = tuple[dict[str, list[Any]], ...]


def grid_points(grid: Grid) -> list[dict[str, Any]]:
    """Return all combinations of the values of each mapping, one mapping after the other.

    grid: mappings of keys to lists of values. A combination is a mapping with one value for each
    key. The last key varies fastest, as in nested loops. The list is empty for an empty grid.
    """
    return [
        dict(zip(values, combination))
        for values in grid
        for combination in itertools.product(*values.values())
    ]


def architecture_points(
    grid: Grid, architectures: Sequence[str]
) -> list[tuple[dict[str, Any], str]]:
    """Return each point of the grid with the name of each architecture, as pairs.

    A point is a combination that `grid_points` returns. A point with the key `architecture` is
    paired with that architecture only, also if `architectures` does not hold it.
    """
    return [
        (point, name)
        for point in grid_points(grid)
        for name in ([point["architecture"]] if "architecture" in point else architectures)
    ]


def grid_choices(grid: Grid) -> dict[str, list[Any]]:
    """Return all values that a key takes anywhere in the grid, by key, in order of appearance.

    Equal values appear once. The mapping is {} for an empty grid.
    """
    choices: dict[str, list[Any]] = {}
    for values in grid:
        for key, given in values.items():
            known = choices.setdefault(key, [])
            known.extend(value for value in given if value not in known)
    return choices


def as_grid(given: Any) -> Any:
    """Return a plan's `grid` as a list of mappings: one mapping becomes a list of one.

    Any other value, also a wrong one, is returned unchanged.
    """
    return [given] if isinstance(given, Mapping) else given


def check_grid(grid: Grid) -> None:
    """Raise InvalidInput if a key of the grid has no list of values, or an empty list.

    Keys and single values are not checked. A text is no list: its letters are no values.
    """
    for values in grid:
        for key, given in values.items():
            if not isinstance(given, Sequence) or isinstance(given, str) or not given:
                example = f", such as [{given}]" if isinstance(given, str | int | float) else ""
                raise InvalidInput(f"grid: {key} needs a list of values{example}, got {given!r}")
