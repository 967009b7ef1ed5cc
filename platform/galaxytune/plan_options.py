"""A plan from a file and from the command line's options; imports nothing that takes long."""

import os
from collections.abc import Mapping, Sequence
from netrc import NetrcParseError, netrc
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from galaxytune.grid import as_grid
from galaxytune.study_plan import StudyPlan, WandbMode, make_plan
from search_spaces.declaration.frozen_config import parse_settings, read_yaml

_NEEDED = {
    "name": "--name NAME",
    "architectures": "--architecture NAME",
    "data": "--data FILE",
    "trials": "--trials N",
    "epochs": "--epochs N",
}


def plan_from_options(
    plan_file: Path | None, options: Mapping[str, Any], settings: Sequence[str]
) -> StudyPlan:
    """The plan of a file, overridden by the options that were given."""
    values: dict[str, Any] = {} if plan_file is None else read_yaml(plan_file)
    values |= {name: value for name, value in options.items() if value is not None}
    in_file = values.pop("set", None) or {}
    if not isinstance(in_file, dict):
        raise ValueError(f"`set` of {plan_file} must hold keys and values, got {in_file!r}")
    values["set"] = {**in_file, **parse_settings(settings)}
    told = {"trials"} if values.get("grid") else set()
    told |= {"epochs"} if values.get("as_published") or _is_in_grid("epochs", values) else set()
    missing = [o for name, o in _NEEDED.items() if name not in values.keys() | told]
    if missing:
        raise ValueError(f"a search needs {', '.join(missing)} (or a plan file that says so)")
    values.setdefault("wandb", default_wandb_mode())
    return make_plan(values)


def _is_in_grid(key: str, values: Mapping[str, Any]) -> bool:
    """Whether every point of a plan's grid, which is not yet checked, says it."""
    grid = as_grid(values.get("grid"))
    points = grid if isinstance(grid, Sequence) and grid else [{}]
    return all(isinstance(point, Mapping) and key in point for point in points)


def default_wandb_mode() -> WandbMode:
    """What WANDB_MODE says; else online where an API key is set, and offline elsewhere."""
    asked = os.environ.get("WANDB_MODE")
    if asked in ("offline", "online", "disabled"):
        return asked  # type: ignore[return-value]
    if os.environ.get("WANDB_API_KEY"):
        return "online"
    host = urlsplit(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).hostname or ""
    try:
        return "online" if netrc().authenticators(host) else "offline"
    except (OSError, NetrcParseError):
        return "offline"
