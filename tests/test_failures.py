"""What goes wrong in a search ends as it should: recorded, told, and nothing else is touched."""

import json
import os
import signal
import threading
import time
from typing import Any

import optuna
import pytest

from galaxytune.search import run_study
from galaxytune.study_folder import StudyFolder
from tests import misbehaving
from tests.test_study import assert_whole, optuna_trials

pytestmark = pytest.mark.usefixtures("small_ray")


def statuses(folder: StudyFolder) -> dict[str, str]:
    return {record.id: record.status for record in folder.records()}


ALL_BUT_ONE = {"00000": "complete", "00001": "failed", "00002": "complete", "00003": "complete"}


@pytest.mark.parametrize(
    ("trainable", "told"),
    [
        (misbehaving.reports_nan, "reported val_rmse = nan at epoch 2"),
        (misbehaving.reports_infinity, "reported val_rmse = inf at epoch 2"),
        (misbehaving.reports_none, "reported val_rmse = None at epoch 2"),
    ],
)
def test_an_unusable_number_ends_its_trial_at_once(trainable: Any, told: str, begin_study) -> None:
    folder = begin_study()
    run_study(folder, trainable=trainable)
    assert statuses(folder) == ALL_BUT_ONE
    assert_whole(folder)
    (bad,) = [r for r in folder.records() if r.status == "failed"]
    assert (bad.reason, bad.epochs, bad.config_failed) == (told, 1, True)


def test_an_exception_fails_its_trial_after_its_retries(begin_study) -> None:
    folder = begin_study()
    run_study(folder, trainable=misbehaving.raises)
    assert statuses(folder) == ALL_BUT_ONE
    assert_whole(folder)
    (bad,) = [r for r in folder.records() if r.status == "failed"]
    assert "ArithmeticError" in bad.reason and "do not add up" in bad.reason
    assert (bad.retries, bad.epochs, bad.config_failed) == (1, 1, False)


def test_a_trial_that_never_reports_is_ended(begin_study) -> None:
    folder = begin_study(max_silence_minutes=0.05, max_retries=0)
    run_study(folder, trainable=misbehaving.is_silent)
    assert statuses(folder) == ALL_BUT_ONE
    assert_whole(folder)
    (bad,) = [r for r in folder.records() if r.status == "failed"]
    assert bad.reason == "reported nothing for 0.05 minutes"


def test_a_slow_clean_up_costs_no_other_trial(begin_study) -> None:
    folder = begin_study()
    started = time.monotonic()
    run_study(folder, trainable=misbehaving.cleans_up_slowly)
    assert set(statuses(folder).values()) == {"complete"}
    assert_whole(folder)
    assert time.monotonic() - started < 60


@pytest.mark.parametrize(
    ("limit", "told"),
    [
        ({"max_hours": 1.5 / 3600}, "hours have passed"),
        ({"max_device_hours": 0.05 / 3600}, "device-hours are spent"),
        ({"target_rmse": 0.2}, "reaches the target of 0.2"),
        ({"plateau_trials": 3}, "no better trial among the last 3"),
    ],
)
def test_a_budget_drains_the_study(limit: dict[str, float], told: str, begin_study) -> None:
    folder = begin_study(trials=60, **limit)
    run_study(folder, trainable=misbehaving.behave)
    assert folder.state() == "finished" and told in (folder.ended or "")
    ended = statuses(folder)
    assert 0 < len(ended) < 60 and set(ended.values()) <= {"complete", "pruned"}
    states = {t.state for t in optuna_trials(folder)}
    assert optuna.trial.TrialState.RUNNING not in states
    run_study(folder, trainable=misbehaving.behave)  # nothing is left to do
    assert statuses(folder) == ended


def test_ctrl_c_once_drains_and_a_resume_finishes(begin_study) -> None:
    folder = begin_study()
    timer = threading.Timer(4, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        run_study(folder, trainable=misbehaving.takes_its_time)
    timer.cancel()
    assert folder.state() == "interrupted"
    before = statuses(folder)
    run_study(folder, trainable=misbehaving.behave)
    assert_whole(folder)
    assert before.items() <= statuses(folder).items()


def test_the_grace_period_is_measured_on_the_first_whole_trials(begin_study) -> None:
    folder = begin_study(halving=True, trials=30)
    run_study(folder, trainable=misbehaving.behave)
    chosen = json.loads(folder.halving_file.read_text())
    assert (chosen["grace_epochs"], chosen["correlations"]) == (1, {"1": 1.0, "3": 1.0})
    assert "trials may be stopped from epoch 1 on" in chosen["sentence"]
    ends = [record.status for record in folder.records()]
    assert ends.count("complete") == chosen["num_whole"] >= 5 and "pruned" in ends


def test_where_early_ranks_mislead_every_later_trial_is_trained_whole(begin_study) -> None:
    folder = begin_study(halving=True, trials=24)
    run_study(folder, trainable=misbehaving.crosses_over)
    chosen = json.loads(folder.halving_file.read_text())
    assert chosen["grace_epochs"] is None
    assert "every trial is trained whole" in chosen["sentence"]
    ends = [record.status for record in folder.records()]
    assert "pruned" in ends[:12] and set(ends[14:]) == {"complete"}
