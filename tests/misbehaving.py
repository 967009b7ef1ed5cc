"""Trainables that report as a training run does, without training, and misbehave on demand.

Ray's workers import them from here. A trial's number decides what it does: trial 1 misbehaves.
"""

import time
from pathlib import Path
from typing import Any

import numpy as np
from ray import tune

EPOCHS = 4
BAD = "00001"


def report_of(trial_id: str, epoch: int) -> dict[str, Any]:
    """A plausible epoch: lower with each, a level of its own for each trial."""
    level = 0.15 + 0.01 * (int(trial_id) * 7 % 5)
    value = level + 0.1 / epoch
    names = ("val_rmse", "val_loss", "val_tree_residual", "train_rmse", "train_loss")
    return {
        "epoch": epoch,
        "seconds": 0.01,
        "learning_rate": 1e-3,
        **dict.fromkeys(names, value),
    }


def behave(parameters: dict[str, Any], *, seconds: float = 0.05) -> None:
    """Report four epochs and finish."""
    task = parameters["task"]
    for epoch in range(1, EPOCHS + 1):
        time.sleep(seconds)
        ends = {"finished": "all epochs trained"} if epoch == EPOCHS else {}
        tune.report({**report_of(task.trial_id, epoch), **ends})


def _is_bad(parameters: dict[str, Any]) -> bool:
    return bool(parameters["task"].trial_id == BAD)


def _reports_at_epoch_2(parameters: dict[str, Any], value: Any) -> None:
    if not _is_bad(parameters):
        return behave(parameters)
    tune.report(report_of(BAD, 1))
    tune.report({**report_of(BAD, 2), "val_rmse": value})
    return time.sleep(60)


def reports_nan(parameters: dict[str, Any]) -> None:
    """Trial 1 reports a NaN at epoch 2."""
    _reports_at_epoch_2(parameters, float("nan"))


def reports_infinity(parameters: dict[str, Any]) -> None:
    """Trial 1 reports infinity at epoch 2."""
    _reports_at_epoch_2(parameters, np.inf)


def reports_none(parameters: dict[str, Any]) -> None:
    """Trial 1 reports None at epoch 2."""
    _reports_at_epoch_2(parameters, None)


def raises(parameters: dict[str, Any]) -> None:
    """Trial 1 raises after its first epoch, each time."""
    if _is_bad(parameters):
        tune.report(report_of(BAD, 1))
        raise ArithmeticError("the numbers do not add up")
    behave(parameters)


def is_silent(parameters: dict[str, Any]) -> None:
    """Trial 1 never reports."""
    if _is_bad(parameters):
        time.sleep(600)
    behave(parameters)


def cleans_up_slowly(parameters: dict[str, Any]) -> None:
    """Trial 1 needs 20 seconds to let go once it is stopped."""
    try:
        behave(parameters)
    finally:
        if _is_bad(parameters):
            time.sleep(20)


def finds_the_disk_full(parameters: dict[str, Any]) -> None:
    """Trial 1 cannot write its checkpoint, unless a file says that there is room again."""
    if _is_bad(parameters) and not (Path(parameters["task"].data).parent / "room").exists():
        return tune.report({"epoch": 1, "storage_failure": "No space left on device (last.pt)"})
    return behave(parameters)


def takes_its_time(parameters: dict[str, Any]) -> None:
    """Every trial, half a second an epoch."""
    behave(parameters, seconds=0.5)


def crosses_over(parameters: dict[str, Any]) -> None:
    """Trials that do well early end badly, and the other way round."""
    task = parameters["task"]
    late = 0.01 * (int(task.trial_id) * 7 % 5)
    for epoch in range(1, EPOCHS + 1):
        time.sleep(0.02)
        value = 0.4 - 0.05 * epoch - late if epoch < EPOCHS else 0.1 + late
        numbers = dict.fromkeys(report_of(task.trial_id, epoch), value)
        fixed = {"epoch": epoch, "seconds": 0.01, "learning_rate": 1e-3}
        ends = {"finished": "all epochs trained"} if epoch == EPOCHS else {}
        tune.report({**numbers, **fixed, **ends})
