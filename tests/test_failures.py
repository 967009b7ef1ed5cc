"""What goes wrong in a search ends as it should: recorded, told, and nothing else is touched."""

import json
import os
import signal
import threading
from pathlib import Path

import optuna
import pytest

from analysis.trial_record import TrialRecord
from galaxytune.search import run_study
from galaxytune.study_folder import StudyFolder
from tests import misbehaving
from tests.conftest import small_study
from tests.test_study import assert_whole, optuna_trials, wait_for

pytestmark = [pytest.mark.soak, pytest.mark.usefixtures("small_ray")]


def statuses(folder: StudyFolder) -> dict[str, str]:
    return {record.id: record.status for record in folder.records()}


def record(folder: StudyFolder, trial_id: str) -> TrialRecord:
    (found,) = (record for record in folder.records() if record.id == trial_id)
    return found


@pytest.fixture(scope="module")
def misbehaved(small_ray: None, toy_npz: Path, tmp_path_factory) -> StudyFolder:
    """A finished study whose trials misbehave in six ways, but the first and the last."""
    folder = small_study(
        toy_npz, tmp_path_factory.mktemp("studies"), trials=8, max_silence_minutes=0.06
    )
    run_study(folder, trainable=misbehaving.misbehaves)
    return folder


def test_each_misbehaving_trial_has_its_end_and_the_others_theirs(misbehaved) -> None:
    assert_whole(misbehaved)
    ended = statuses(misbehaved)
    assert {i for i in ended if ended[i] == "complete"} == {"00000", misbehaving.BAD, "00007"}
    assert set(ended.values()) == {"complete", "failed"}


@pytest.mark.parametrize("trial_id", list(misbehaving.UNUSABLE))
def test_an_unusable_number_ends_its_trial_at_once(trial_id: str, misbehaved) -> None:
    bad, value = record(misbehaved, trial_id), misbehaving.UNUSABLE[trial_id]
    assert bad.reason == f"reported val_rmse = {value} at epoch 2"
    assert (bad.epochs, bad.retries, bad.config_failed) == (1, 0, True)


def test_an_exception_fails_its_trial_after_its_retries(misbehaved) -> None:
    bad = record(misbehaved, misbehaving.RAISES)
    assert "ArithmeticError" in bad.reason and "do not add up" in bad.reason
    assert (bad.epochs, bad.retries, bad.config_failed) == (1, 1, False)


def test_a_trial_that_never_reports_is_ended(misbehaved) -> None:
    bad = record(misbehaved, misbehaving.SILENT)
    assert bad.reason == "reported nothing for 0.06 minutes"


def test_a_slow_clean_up_costs_no_other_trial(misbehaved) -> None:
    """While its process takes 20 seconds to let go, others report."""
    ended = {
        record.id: misbehaved.curve_file(record.id).stat().st_mtime
        for record in misbehaved.records()
    }
    slow = ended.pop(misbehaving.BAD)
    assert any(0 < other - slow < 15 for other in ended.values())


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

    def interrupt() -> None:
        wait_for(folder.records, 60)
        os.kill(os.getpid(), signal.SIGINT)

    interrupting = threading.Thread(target=interrupt)
    interrupting.start()
    with pytest.raises(KeyboardInterrupt):
        run_study(folder, trainable=misbehaving.takes_its_time)
    interrupting.join()
    assert folder.state() == "interrupted"
    before = statuses(folder)
    run_study(folder, trainable=misbehaving.behave)
    assert_whole(folder)
    assert before.items() <= statuses(folder).items()


def test_the_grace_period_is_measured_on_the_trials_that_go_on(begin_study) -> None:
    folder = begin_study(halving=True, trials=60)
    run_study(folder, trainable=misbehaving.behave)
    chosen = json.loads(folder.halving_file.read_text())
    assert (chosen["grace_epochs"], list(chosen["correlations"])) == (1, ["1", "3"])
    assert "trials may pause from epoch 1 on" in chosen["sentence"]
    ends = [record.status for record in folder.records()]
    assert ends.count("complete") == chosen["num_whole"] >= 5 and "pruned" in ends


def test_a_short_study_says_that_too_few_trials_were_measured(begin_study) -> None:
    folder = begin_study(halving=True, trials=3)
    run_study(folder, trainable=misbehaving.behave)
    chosen = json.loads(folder.halving_file.read_text())
    assert chosen["sentence"] == (
        "too few trials have gone on from a rung to measure whether early ranks mislead; "
        "trials may pause from epoch 1 on"
    )


def test_where_early_ranks_mislead_every_later_trial_is_trained_whole(begin_study) -> None:
    folder = begin_study(halving=True, trials=60)
    run_study(folder, trainable=misbehaving.crosses_over)
    chosen = json.loads(folder.halving_file.read_text())
    assert chosen["grace_epochs"] is None
    assert "every trial is trained whole" in chosen["sentence"]
    ends = [record.status for record in folder.records()]
    # at the last rung, before the end, five are compared
    fifth = [place for place, end in enumerate(ends) if end == "complete"][4]
    assert "pruned" in ends[:fifth] and set(ends[fifth:]) == {"complete"}
    assert len(ends[fifth:]) > 10  # those among them that had paused
