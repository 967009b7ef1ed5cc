"""Trainables that report as a training run does, without training, and misbehave on demand.

Ray's workers import them from here. A trial's number decides what it does.
"""

import time
from typing import TYPE_CHECKING, Any

import numpy as np
from ray import tune

if TYPE_CHECKING:
    from trainables.training.epoch_report import EpochReport

EPOCHS = 4
BAD = "00001"
SECONDS_TO_LET_GO = 10.0  # five times as long as Tune by itself would wait
_ALIKE = ("train_loss", "train_rmse", "val_loss", "val_rmse", "val_tree_residual")


def _values(epoch: int, value: float) -> dict[str, Any]:
    ends = {"finished": "all epochs trained"} if epoch == EPOCHS else {}
    fixed = {"epoch": epoch, "learning_rate": 1e-3, "seconds": 0.01}
    return {**fixed, **dict.fromkeys(_ALIKE, value), **ends}


def reported(trial_id: str, epoch: int, **changes: Any) -> dict[str, Any]:
    """Return a plausible epoch as a worker reports it.

    The values are lower with each epoch, on a level of its own for each trial. The last epoch says
    that the trial has finished. changes: reported values in place of those.
    """
    level = 0.15 + 0.01 * (int(trial_id) * 7 % 5)
    return _values(epoch, level + 0.1 / epoch) | changes


def report_of(trial_id: str, epoch: int) -> "EpochReport":
    """Return the epoch of `reported` as the driver knows an epoch."""
    from trainables.training.epoch_report import EpochReport  # a second that workers do without

    return EpochReport.from_values(reported(trial_id, epoch))


def behave(parameters: dict[str, Any], *, seconds: float = 0.05) -> None:
    """Report four epochs and finish."""
    task = parameters["task"]
    for epoch in range(1, EPOCHS + 1):
        time.sleep(seconds)
        tune.report(reported(task.trial_id, epoch))


def _is_bad(parameters: dict[str, Any]) -> bool:
    return bool(parameters["task"].trial_id == BAD)


UNUSABLE = {"00002": float("nan"), "00003": np.inf, "00004": None}
RAISES, SILENT = "00005", "00006"


def misbehaves(parameters: dict[str, Any]) -> None:
    """Trial 1 lets go some seconds after it was stopped; 2 to 6 fail, each in its own way."""
    trial_id = parameters["task"].trial_id
    if trial_id in UNUSABLE:
        tune.report(reported(trial_id, 1))
        tune.report(reported(trial_id, 2, val_rmse=UNUSABLE[trial_id]))
        return time.sleep(60)
    if trial_id == RAISES:
        tune.report(reported(trial_id, 1))
        raise ArithmeticError("the numbers do not add up")
    if trial_id == SILENT:
        return time.sleep(600)
    try:
        return behave(parameters)
    finally:
        if _is_bad(parameters):
            time.sleep(SECONDS_TO_LET_GO)


def fails_in_turn(parameters: dict[str, Any]) -> None:
    """Trial 1 reports a NaN, 2 raises an exception, 3 returns without a report."""
    trial_id = parameters["task"].trial_id
    if trial_id == BAD:
        return tune.report(reported(BAD, 1, val_rmse=float("nan")))
    if trial_id == "00002":
        raise ArithmeticError("the numbers do not add up")
    return None if trial_id == "00003" else behave(parameters)


def reports_nan(parameters: dict[str, Any]) -> None:
    """Trial 1 reports a NaN."""
    if _is_bad(parameters):
        return tune.report(reported(BAD, 1, val_rmse=float("nan")))
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
        tune.report(_values(epoch, value))
