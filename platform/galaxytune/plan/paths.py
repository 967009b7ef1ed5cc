"""The paths in a plan: of the data file, and of weights and exports in `set` and `grid`."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search_spaces.declaration import given_path

if TYPE_CHECKING:
    from galaxytune.plan.study_plan import StudyPlan

_FIELDS = ("weights", "begin_from")  # fields of configs that may hold a path


def with_given_paths(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a plan with `~` and `$NAME` expanded in every path.

    values: a plan's values by key, which need not be checked yet; values of a wrong form are
    returned unchanged. A path that cannot be, or an unset variable, raises InvalidInput.
    """
    changed = dict(values)
    if isinstance(data := values.get("data"), str | Path):
        changed["data"] = str(given_path(data))
    studies = values.get("learn_from")
    if isinstance(studies, str | Path):
        changed["learn_from"] = [str(given_path(studies))]
    elif isinstance(studies, list | tuple) and all(isinstance(s, str | Path) for s in studies):
        changed["learn_from"] = [str(given_path(study)) for study in studies]
    for key in ("set", "grid"):
        if key in values:
            changed[key] = _with_paths(values[key], dict.fromkeys(_FIELDS, _given))
    return changed


def with_absolute_files(plan: "StudyPlan") -> "StudyPlan":
    """Return a copy of the plan with absolute paths of the data file, of weights and of exports.

    Weight files are the values of `weights` in `set` and `grid` that have a suffix such as .pth;
    names such as `imagenet` stay as they are. Exports are the values of `begin_from`. With
    absolute paths, a resume that is started in another folder finds the files.
    """
    # the import loads Optuna
    from search_spaces.declaration import absolute, absolute_folder

    changes = {"weights": absolute, "begin_from": absolute_folder}

    return plan.model_copy(
        update={
            "data": str(Path(plan.data).resolve()),
            "set": _with_paths(plan.set, changes),
            "grid": tuple(_with_paths(values, changes) for values in plan.grid),
        }
    )


def _given(path: str) -> str:
    """Return a path with `~` and `$NAME` expanded; InvalidInput for an unset variable."""
    return str(given_path(path))


def _with_paths(given: Any, changes: Mapping[str, Callable[[str], str | None]]) -> Any:
    """Return `set`, or a grid, with the texts of some fields changed.

    given: a mapping of values, or of lists of values, by key; or a list of such mappings. The key
    is FIELD or ARCHITECTURE.FIELD. changes: the function, by field, that returns the new text of
    each text that is not empty. Anything else is returned unchanged.
    """
    if isinstance(given, list | tuple):
        return [_with_paths(one, changes) for one in given]
    if not isinstance(given, Mapping):
        return given

    def changed(value: Any, change: Callable[[str], str | None]) -> Any:
        """Return a text, or each text of a list, as `change` returns the text."""
        if isinstance(value, list | tuple):
            return [changed(one, change) for one in value]
        return change(value) if isinstance(value, str) and value else value

    fields = {key: str(key).rpartition(".")[2] for key in given}
    return {
        key: changed(value, changes[fields[key]]) if fields[key] in changes else value
        for key, value in given.items()
    }
