"""Records of trials and learning curves as a study leaves them, made without any training."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from analysis.records import Status, TrialRecord
from search_spaces.declaration import config_from_values
from trainables.training import EpochReport


def record(
    number: int,
    rmse: float | None,
    *,
    residual: float | None = None,
    status: Status = "complete",
    published: bool = False,
    **values: Any,
) -> TrialRecord:
    """Return the record of trial `number`, whose config has these values by field name.

    rmse: validation RMSE; None for a trial of which no epoch ended. residual: the tree residual,
    half of the RMSE if not given. The architecture is simple_cnn if `values` name no other.
    """
    config = config_from_values({"architecture": "simple_cnn", **values})
    metrics = {}
    if rmse is not None:
        tree_residual = rmse / 2 if residual is None else residual
        metrics = {"validation": {"rmse": rmse, "tree_residual": tree_residual}}
    return TrialRecord(
        id=f"{number:05d}",
        architecture=config.architecture,
        config=config,
        published=published,
        status=status,
        reason="all epochs trained",
        best_epoch=2 if metrics else 0,
        metrics=metrics,
        epochs=3,
        device_seconds=1.0,
        wandb_run_id=None,
    )


def grid(steps: dict[float, float], num_seeds: int = 3, noise: float = 1e-4) -> list[TrialRecord]:
    """Return the trials of a grid of constraint coefficients, `num_seeds` of each coefficient.

    The RMSE is .15, plus the step of the coefficient, plus .01 times the seed, plus a little
    noise. steps: the step of each coefficient.
    """
    chance = np.random.default_rng(0)
    trials: list[TrialRecord] = []
    for coefficient, step in steps.items():
        for seed in range(num_seeds):
            rmse = 0.15 + step + 0.01 * seed + noise * chance.standard_normal()
            trials.append(record(len(trials), rmse, constraint_coefficient=coefficient, seed=seed))
    return trials


def coefficients_by_question(num_trials: int) -> list[TrialRecord]:
    """Return trials with eleven coefficients each, drawn log-uniformly from 1e-5 to 1e-1.

    A larger coefficient of question 3 lowers the RMSE, a larger one of question 8 raises the
    RMSE, and the others do nothing.
    """
    chance = np.random.default_rng(1)
    trials = []
    for number in range(num_trials):
        logs = chance.uniform(-5, -1, 11)
        rmse = 0.2 - 0.01 * logs[2] + 0.02 * logs[7] + 0.002 * chance.standard_normal()
        coefficients = tuple(map(float, 10**logs))
        trials.append(
            record(
                number,
                float(rmse),
                coefficient_sharing="per_question",
                constraint_coefficients=coefficients,
            )
        )
    return trials


def made_up_record(number: int, status: Status = "complete", **changes: Any) -> TrialRecord:
    """Return the record of a simple_cnn whose learning rate, dropout and batch size are random.

    The RMSE rises with the distance of the learning rate from 1e-3 and depends on nothing else.
    Trial 0 has the published config. changes: values of the config, by field name, in place of
    the random ones.
    """
    chance = np.random.default_rng(number)
    drawn: dict[str, Any] = {
        "learning_rate": float(10 ** chance.uniform(-4, -2)),
        "dropout": float(chance.uniform(0, 0.5)),
        "batch_size": int(chance.choice([32, 64, 128, 256])),
        **changes,
    }
    rmse = 0.08 + 0.03 * abs(float(np.log10(drawn["learning_rate"])) + 3)
    made = record(number, rmse, residual=0.01, status=status, published=number == 0, **drawn)
    return made.model_copy(update={"best_epoch": 3})


def made_up_records(num_trials: int, **changes: Any) -> list[TrialRecord]:
    """Return `num_trials` records as `made_up_record` makes them, the numbers counted from 0."""
    return [made_up_record(number, **changes) for number in range(num_trials)]


def epoch_report(epoch: int, rmse: float, *, seconds: float = 1.0) -> EpochReport:
    """Return the report of an epoch in which every loss, RMSE and residual equals `rmse`."""
    return EpochReport(
        epoch=epoch,
        train_loss=rmse,
        train_rmse=rmse,
        val_loss=rmse,
        val_rmse=rmse,
        val_tree_residual=rmse,
        learning_rate=1e-3,
        seconds=seconds,
    )


def curve(rmses: Sequence[float], *, seconds: float = 1.0) -> list[EpochReport]:
    """Return the curve of a trial with these validation RMSEs, one an epoch.

    seconds: the duration of each epoch.
    """
    return [epoch_report(e, rmse, seconds=seconds) for e, rmse in enumerate(rmses, start=1)]
