"""The paths in a plan: of the data file, and of weight files in `set` and `grid`."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search_spaces.declaration import given_path

if TYPE_CHECKING:
    from galaxytune.plan.study_plan import StudyPlan


def with_given_paths(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a plan with `~` and `$NAME` expanded in every path.

    values: a plan's values by key, which need not be checked yet; values of a wrong form are
    returned unchanged. A path that cannot be, or an unset variable, raises InvalidInput.
    """
    changed = dict(values)
    if isinstance(data := values.get("data"), str | Path):
        changed["data"] = str(given_path(data))
    for key in ("set", "grid"):
        if key in values:
            changed[key] = _with_weights(values[key], lambda weights: str(given_path(weights)))
    return changed


def with_absolute_files(plan: "StudyPlan") -> "StudyPlan":
    """Return a copy of the plan with absolute paths of the data file and of weight files.

    Weight files are the values of `weights` in `set` and `grid` that have a suffix such as .pth;
    names such as `imagenet` stay as they are. With absolute paths, a resume that is started in
    another folder finds the files.
    """
    from search_spaces.declaration import absolute  # the import loads Optuna

    return plan.model_copy(
        update={
            "data": str(Path(plan.data).resolve()),
            "set": _with_weights(plan.set, absolute),
            "grid": tuple(_with_weights(values, absolute) for values in plan.grid),
        }
    )


def _with_weights(given: Any, change: Callable[[str], str]) -> Any:
    """Return `set`, or a grid, with `change` applied to each text that `weights` has as its value.

    given: a mapping of values, or of lists of values, by key; or a list of such mappings. The key
    is `weights` or ARCHITECTURE.weights. Anything else is returned unchanged.
    """
    if isinstance(given, list | tuple):
        return [_with_weights(one, change) for one in given]
    if not isinstance(given, Mapping):
        return given

    def changed(value: Any) -> Any:
        """Return a text, or each text of a list, as `change` returns the text."""
        if isinstance(value, list | tuple):
            return [changed(one) for one in value]
        return change(value) if isinstance(value, str) and value else value

    return {
        key: changed(value) if str(key).rpartition(".")[2] == "weights" else value
        for key, value in given.items()
    }
