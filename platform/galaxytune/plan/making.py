"""Functions that make a plan from a plan file and from values that override the file."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from galaxytune.plan.grid import as_grid
from galaxytune.plan.study_plan import StudyPlan
from search_spaces.declaration import InvalidInput, build, check_given, given_path, read_yaml


def make_plan(values: Mapping[str, Any]) -> StudyPlan:
    """Return the plan that has `values` by key; the first mistake raises InvalidInput.

    Keys that are not given get their defaults. A missing key without a default is a mistake.
    """
    return build(StudyPlan, values)


# Values that stand for missing keys while the others are checked; no name can be checked without
# `architectures`, and a small number of epochs could contradict another key.
_STAND_INS = {"name": "plan", "data": "galaxies.npz", "trials": 1, "epochs": 1_000_000}


def check_unfinished(values: Mapping[str, Any], missing: Collection[str]) -> None:
    """Raise InvalidInput for the first mistake in the values of a plan that lacks some keys.

    values: the plan's values by key. missing: the keys that the plan lacks, which are no mistake
    here. Without architectures, only the keys and the types of the values are checked.
    """
    stand_ins = {key: value for key, value in _STAND_INS.items() if key in missing}
    check_given(StudyPlan, {**stand_ins, **values})


def plan_values(plan_file: Path | None, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys and values of a plan file, with `changes` in place of the file's own.

    plan_file: path of a YAML file; None for no file. changes: values by key. The mapping `set` in
    `changes` is merged into the file's `set`, key by key; the result always has the key `set`,
    perhaps {}. The values are not checked yet. A file that is missing, unreadable or not a
    mapping, or whose `set` is not a mapping, raises InvalidInput.
    """
    values: dict[str, Any] = {} if plan_file is None else read_yaml(given_path(plan_file))
    in_file = values.get("set") or {}
    if not isinstance(in_file, dict):
        raise InvalidInput(f"`set` of {plan_file} must hold keys and values, got {in_file!r}")
    return {**values, **changes, "set": {**in_file, **changes.get("set", {})}}


def needs_epochs(values: Mapping[str, Any]) -> bool:
    """Return whether the command line requires the key `epochs` for a plan of these values.

    The result is False if `as_published` is set, because the published numbers of epochs are then
    used, or if `grid` is not empty and each of its mappings has the key `epochs`. Otherwise the
    result is True, also if the values already have the key `epochs`.

    values: the plan's values by key, which need not be checked yet.
    """
    grid = as_grid(values.get("grid"))
    points = grid if isinstance(grid, (list, tuple)) and grid else [{}]
    in_grid = all(isinstance(point, Mapping) and "epochs" in point for point in points)
    return not (values.get("as_published") or in_grid)
