"""Trainables that report as a training run does, without training, and misbehave on demand.

Ray's workers import them from here. A trial's number decides what it does.
"""

import time
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


UNUSABLE = {"00002": float("nan"), "00003": np.inf, "00004": None}
RAISES, SILENT = "00005", "00006"


def misbehaves(parameters: dict[str, Any]) -> None:
    """Trial 1 lets go 20 seconds after it was stopped; 2 to 6 fail, each in its own way."""
    trial_id = parameters["task"].trial_id
    if trial_id in UNUSABLE:
        tune.report(report_of(trial_id, 1))
        tune.report({**report_of(trial_id, 2), "val_rmse": UNUSABLE[trial_id]})
        return time.sleep(60)
    if trial_id == RAISES:
        tune.report(report_of(trial_id, 1))
        raise ArithmeticError("the numbers do not add up")
    if trial_id == SILENT:
        return time.sleep(600)
    try:
        return behave(parameters)
    finally:
        if _is_bad(parameters):
            time.sleep(20)


def reports_nan(parameters: dict[str, Any]) -> None:
    """Trial 1 reports a NaN."""
    if _is_bad(parameters):
        return tune.report({**report_of(BAD, 1), "val_rmse": float("nan")})
    return behave(parameters)


def finds_the_disk_full(parameters: dict[str, Any]) -> None:
    """Trial 1 cannot write its checkpoint."""
    if _is_bad(parameters):
        return tune.report({"epoch": 1, "storage_failure": "No space left on device (last.pt)"})
    return behave(parameters)


def takes_its_time(parameters: dict[str, Any]) -> None:
    """Every trial, a quarter of a second an epoch."""
    behave(parameters, seconds=0.25)


def takes_long(parameters: dict[str, Any]) -> None:
    """Every trial, three quarters of a second an epoch."""
    behave(parameters, seconds=0.75)


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
