"""The folders of exports, reports and trainings: only such an earlier result is replaced."""

import json
from collections.abc import Callable
from pathlib import Path

from search_spaces.declaration import InvalidInput
from trainables.files import LAST, check_can_write

_EXPORTED = {"config.yaml", "model.safetensors", "metrics.json", "provenance.json", "README.md"}
_EXPORTED |= {"model.onnx", "model.pt2", "ensemble.json", "members", "hub"}
_WEIGHTS = ("model.safetensors", "members/1/model.safetensors")  # the first file of an export
_STATES = {LAST, f"{LAST}.damaged"}
_REPORTED = {".png", ".pdf", ".csv"}  # suffixes of the figures and tables of a report


def check_export_folder(out: Path) -> None:
    """Raise InvalidInput if an export cannot be written to `out`, or would replace other files.

    The folder may be missing, empty, or hold an earlier export, also one that was cut short, with
    other files beside it. A folder in which `train` has trained is refused: its state would belong
    to another network than its weights.
    """
    _check(out, "export", _is_export)


def check_report_folder(out: Path) -> None:
    """Raise InvalidInput if a report cannot be written to `out`, or would replace other files.

    The folder may be missing, empty, or hold an earlier report, also one that was cut short.
    """
    _check(out, "report", _is_report)


def check_training_folder(out: Path) -> None:
    """Raise InvalidInput if a training cannot write to `out`, or would replace other files.

    The folder may be missing, empty, or hold an earlier training with other files beside it.
    Whether that training is the same is not checked.
    """
    _check(out, "training", _is_training)


def _check(out: Path, kind: str, is_earlier: Callable[[Path, set[str]], bool]) -> None:
    """Raise InvalidInput if `out` is not writable, or holds files but no earlier result.

    kind: what is written, for the message. is_earlier: takes the folder and the names in it, and
    returns whether the folder holds an earlier result.
    """
    check_can_write(out, f"name another folder for the {kind}")
    if not out.is_dir():
        return
    names = {path.name for path in out.iterdir() if not path.name.startswith(".")}
    if names and not is_earlier(out, names):
        raise InvalidInput(
            f"{out} holds other files than an earlier {kind}, such as {min(names)}; "
            f"name a new or empty folder for the {kind}"
        )


def _is_export(out: Path, names: set[str]) -> bool:
    """Return whether a folder with these names holds an export and no state of a training."""
    if "last.pt" in names:
        return False
    if names <= _EXPORTED and any((out / weights).is_file() for weights in _WEIGHTS):
        return True  # an export that was cut short has no provenance yet
    try:
        return "preprocessing" in json.loads((out / "provenance.json").read_bytes())
    except (OSError, ValueError, TypeError):
        return False


def _is_training(out: Path, names: set[str]) -> bool:
    """Return whether a folder with these names holds the state of a training, damaged or not."""
    return not _STATES.isdisjoint(names)


def _is_report(out: Path, names: set[str]) -> bool:
    """Return whether a folder with these names holds a report, or the first files of a report."""
    if {"leaderboard.png", "leaderboard.pdf"} <= names:
        return {"report.html", "findings.txt"} >= {
            name for name in names if Path(name).suffix.lower() not in _REPORTED
        }
    return False
