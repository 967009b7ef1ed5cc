"""What goes wrong in a search ends as it should: recorded, told, and nothing else is touched."""

import os
import signal
import threading
from pathlib import Path

import optuna
import pytest

from galaxytune.driver.run import run_study
from galaxytune.study.folder import StudyFolder
from search_spaces.declaration.errors import StudyInterrupted
from tests.support import misbehaving
from tests.support.observers import Looking
from tests.support.processes import wait_for
from tests.support.studies import (
    BeginStudy,
    assert_whole,
    optuna_trials,
    record_of,
    small_study,
    statuses,
)

pytestmark = [pytest.mark.ray, pytest.mark.soak, pytest.mark.usefixtures("small_ray")]


@pytest.fixture(scope="module")
def misbehaved(
    small_ray: None, toy_npz: Path, tmp_path_factory: pytest.TempPathFactory
) -> StudyFolder:
    """A finished study whose trials misbehave in six ways, but the first and the last."""
    folder = small_study(
        toy_npz, tmp_path_factory.mktemp("studies"), trials=8, max_silence_minutes=0.06
    )
    run_study(folder, trainable=misbehaving.misbehaves)
    return folder


def test_each_misbehaving_trial_has_its_end_and_the_others_theirs(misbehaved: StudyFolder) -> None:
    assert_whole(misbehaved)
    ended = statuses(misbehaved)
    assert {i for i in ended if ended[i] == "complete"} == {"00000", misbehaving.BAD, "00007"}
    assert set(ended.values()) == {"complete", "failed"}


@pytest.mark.parametrize("trial_id", list(misbehaving.UNUSABLE))
def test_an_unusable_number_ends_its_trial_at_once(trial_id: str, misbehaved: StudyFolder) -> None:
    bad, value = record_of(misbehaved, trial_id), misbehaving.UNUSABLE[trial_id]
    assert bad.reason == f"reported val_rmse = {value} at epoch 2"
    assert (bad.epochs, bad.retries, bad.config_failed) == (1, 0, True)


def test_an_exception_fails_its_trial_after_its_retries(misbehaved: StudyFolder) -> None:
    bad = record_of(misbehaved, misbehaving.RAISES)
    assert "ArithmeticError" in bad.reason and "do not add up" in bad.reason
    assert (bad.epochs, bad.retries, bad.config_failed) == (1, 1, False)


def test_a_trial_that_never_reports_is_ended(misbehaved: StudyFolder) -> None:
    bad = record_of(misbehaved, misbehaving.SILENT)
    assert bad.reason == "reported nothing for 0.06 minutes"


def test_a_slow_clean_up_costs_no_other_trial(misbehaved: StudyFolder) -> None:
    """While its process takes ten seconds to let go, others report."""
    ended = {
        record.id: misbehaved.curve_file(record.id).stat().st_mtime
        for record in misbehaved.records()
    }
    slow = ended.pop(misbehaving.BAD)
    slowest = misbehaving.SECONDS_TO_LET_GO - 2
    assert any(0 < other - slow < slowest for other in ended.values())


@pytest.mark.parametrize(
    ("limit", "told"),
    [
        ({"max_hours": 1.5 / 3600}, "hours have passed"),
        ({"max_device_hours": 0.05 / 3600}, "device-hours are spent"),
        ({"target_rmse": 0.2}, "reaches the target of 0.2"),
        ({"plateau_trials": 3}, "no better trial among the last 3"),
    ],
)
def test_a_budget_drains_the_study(
    limit: dict[str, float], told: str, begin_study: BeginStudy
) -> None:
    folder = begin_study(trials=60, **limit)
    run_study(folder, trainable=misbehaving.behave)
    assert folder.state() == "finished" and told in (folder.ended or "")
    ended = statuses(folder)
    assert 0 < len(ended) < 60 and set(ended.values()) <= {"complete", "pruned"}
    states = {t.state for t in optuna_trials(folder)}
    assert optuna.trial.TrialState.RUNNING not in states
    run_study(folder, trainable=misbehaving.behave)  # nothing is left to do
    assert statuses(folder) == ended


def test_ctrl_c_once_drains_and_a_resume_finishes(begin_study: BeginStudy) -> None:
    folder = begin_study()

    def interrupt() -> None:
        wait_for(folder.records, 60)
        os.kill(os.getpid(), signal.SIGINT)

    interrupting = threading.Thread(target=interrupt)
    interrupting.start()
    with pytest.raises(StudyInterrupted):
        run_study(folder, trainable=misbehaving.takes_its_time)
    interrupting.join()
    assert folder.state() == "interrupted"
    before = statuses(folder)
    run_study(folder, trainable=misbehaving.behave)
    assert_whole(folder)
    assert before.items() <= statuses(folder).items()


class StopsAtOnce(Looking):
    """An observer that sends SIGINT when the first trial is handed out, before it runs."""

    def __init__(self) -> None:
        super().__init__(lambda: None)

    def trial_started(self, *_: object) -> None:
        if "trial_started" not in self.seen:
            self.seen["trial_started"] = True
            os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_before_the_first_trial_runs_is_no_fault(begin_study: BeginStudy) -> None:
    folder = begin_study(trials=3)
    with pytest.raises(StudyInterrupted, match="with 3 trials left"):
        run_study(folder, observers=[StopsAtOnce()], trainable=misbehaving.behave)
    run_study(folder, trainable=misbehaving.behave)
    assert_whole(folder)
