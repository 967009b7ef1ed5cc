"""What goes wrong in a search ends as it should: recorded, told, and nothing else is touched."""

import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest

from galaxytune.search import ClusterAddress, new_study, ray_connection, run_study
from galaxytune.study_folder import StudyFolder
from galaxytune.study_plan import make_plan
from tests import misbehaving
from tests.test_study import assert_whole, optuna_trials


@pytest.fixture(scope="module", autouse=True)
def small_ray() -> Iterator[None]:
    with ray_connection(ClusterAddress(local_cpus=2)):
        yield


@pytest.fixture
def study(toy_npz: Path, tmp_path: Path) -> Callable[..., StudyFolder]:
    """A function that makes a study of four-epoch trials that only pretend to train."""

    def begin(**changes: Any) -> StudyFolder:
        values: dict[str, Any] = {
            "name": "s",
            "architectures": ["simple_cnn"],
            "data": str(toy_npz),
            "trials": 4,
            "epochs": misbehaving.EPOCHS,
            "halving": False,
            "wandb": "disabled",
            "max_retries": 1,
        }
        return new_study(make_plan(values | changes), tmp_path / "studies")

    return begin


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
def test_an_unusable_number_ends_its_trial_at_once(trainable: Any, told: str, study) -> None:
    folder = study()
    run_study(folder, trainable=trainable)
    assert statuses(folder) == ALL_BUT_ONE
    assert_whole(folder)
    (bad,) = [r for r in folder.records() if r.status == "failed"]
    assert (bad.reason, bad.epochs, bad.config_failed) == (told, 1, True)


def test_an_exception_fails_its_trial_after_its_retries(study) -> None:
    folder = study()
    run_study(folder, trainable=misbehaving.raises)
    assert statuses(folder) == ALL_BUT_ONE
    assert_whole(folder)
    (bad,) = [r for r in folder.records() if r.status == "failed"]
    assert "ArithmeticError" in bad.reason and "do not add up" in bad.reason
    assert (bad.retries, bad.epochs, bad.config_failed) == (1, 1, False)


def test_a_trial_that_never_reports_is_ended(study) -> None:
    folder = study(max_silence_minutes=0.05, max_retries=0)
    run_study(folder, trainable=misbehaving.is_silent)
    assert statuses(folder) == ALL_BUT_ONE
    assert_whole(folder)
    (bad,) = [r for r in folder.records() if r.status == "failed"]
    assert bad.reason == "reported nothing for 0.05 minutes"


def test_a_slow_clean_up_costs_no_other_trial(study) -> None:
    folder = study()
    started = time.monotonic()
    run_study(folder, trainable=misbehaving.cleans_up_slowly)
    assert set(statuses(folder).values()) == {"complete"}
    assert_whole(folder)
    assert time.monotonic() - started < 60


def test_a_full_disk_stops_the_study_and_a_resume_goes_on(study, toy_npz: Path) -> None:
    folder = study()
    with pytest.raises(RuntimeError, match="cannot be written: No space left .* resume s"):
        run_study(folder, trainable=misbehaving.finds_the_disk_full)
    assert folder.state() == "interrupted"
    assert "00001" not in statuses(folder)
    run_study(folder)  # there is room again: the trials train for once
    assert_whole(folder)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MB; skips where this user may not mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(place)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a small file system is not allowed here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_disk_that_fills_up_stops_the_study_with_everything_readable(
    small_disk: Path, toy_npz: Path
) -> None:
    values = {"name": "full", "architectures": ["simple_cnn"], "data": str(toy_npz), "trials": 3,
              "epochs": 3, "wandb": "disabled", "set": {"width": 0.5, "batch_size": 64},
              "halving": False}  # fmt: skip
    folder = new_study(make_plan(values), small_disk)
    filler = small_disk / "filler"
    filler.write_bytes(b"0" * (20 << 20))
    with pytest.raises(RuntimeError, match="cannot be written: No space left on device"):
        run_study(folder)
    assert folder.state() == "interrupted"
    kept = [record.id for record in folder.records()]
    filler.unlink()
    run_study(folder)
    assert_whole(folder)
    assert [record.id for record in folder.records()][: len(kept)] == kept


@pytest.mark.parametrize(
    ("limit", "told"),
    [
        ({"max_hours": 1.5 / 3600}, "hours have passed"),
        ({"max_device_hours": 0.05 / 3600}, "device-hours are spent"),
        ({"target_rmse": 0.2}, "reaches the target of 0.2"),
        ({"plateau_trials": 3}, "no better trial among the last 3"),
    ],
)
def test_a_budget_drains_the_study(limit: dict[str, float], told: str, study) -> None:
    folder = study(trials=60, **limit)
    run_study(folder, trainable=misbehaving.behave)
    assert folder.state() == "finished" and told in (folder.ended or "")
    ended = statuses(folder)
    assert 0 < len(ended) < 60 and set(ended.values()) <= {"complete", "pruned"}
    states = {t.state for t in optuna_trials(folder)}
    assert optuna.trial.TrialState.RUNNING not in states
    run_study(folder, trainable=misbehaving.behave)  # nothing is left to do
    assert statuses(folder) == ended


def test_ctrl_c_once_drains_and_a_resume_finishes(study) -> None:
    folder = study()
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


def test_a_journal_that_is_damaged_inside_is_written_anew(study) -> None:
    folder = study()
    run_study(folder, trainable=misbehaving.reports_nan)
    lines = folder.journal_file.read_bytes().splitlines(keepends=True)
    lines[len(lines) // 2] = lines[len(lines) // 2][:10] + b"\n"
    folder.journal_file.write_bytes(b"".join(lines))
    last = folder.records_file.read_text().splitlines(keepends=True)
    folder.records_file.write_text("".join(last[:-1]))  # and one trial had not ended
    run_study(folder, trainable=misbehaving.behave)
    assert_whole(folder)
    assert folder.journal_file.with_name("optuna.journal.damaged-1").exists()
