"""Whole studies on a real Ray: what they leave, and what a killed driver does not lose."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
import pytest
import ray
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from analysis.leaderboard import best_trial
from galaxytune.export import export_best, load_export
from galaxytune.ray_cluster import trials_at_once
from galaxytune.search import new_study, run_study
from galaxytune.study_folder import StudyFolder
from galaxytune.study_plan import make_plan
from galaxytune.tables import study_status
from tests.wandb_file import read_run

GALAXYTUNE = str(Path(sys.executable).with_name("galaxytune"))


def plan(data: Path, **changes: Any):
    values: dict[str, Any] = {
        "name": "toy",
        "architectures": ["simple_cnn", "parallel_cnn"],
        "data": str(data),
        "trials": 6,
        "epochs": 3,
        "grace_epochs": 1,
        "set": {"simple_cnn.width": 0.1, "parallel_cnn.width": 0.03, "batch_size": 32},
    }
    return make_plan(values | changes)


@pytest.fixture(scope="module")
def two_gpu_ray() -> Iterator[None]:
    """A local Ray that is told it has two GPUs."""
    ray.init(
        address="local",
        num_cpus=4,
        num_gpus=2,
        include_dashboard=False,
        log_to_driver=False,
    )
    yield
    ray.shutdown()


@pytest.fixture(scope="module")
def busiest(two_gpu_ray: None) -> dict[str, float]:
    """The fewest GPUs that Ray had free while the study below ran."""
    return {"free_gpus": 2.0}


@contextmanager
def watching(busiest: dict[str, float]) -> Iterator[None]:
    """Note how many GPUs Ray has left, ten times a second."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.1):
            free = ray.available_resources().get("GPU", 0.0)
            busiest["free_gpus"] = min(busiest["free_gpus"], free)

    thread = threading.Thread(target=watch)
    thread.start()
    yield
    over.set()
    thread.join()


@pytest.fixture(scope="module")
def study(busiest: dict[str, float], toy_npz: Path, tmp_path_factory) -> StudyFolder:
    """A finished study of six trials, half a GPU each."""
    folder = new_study(plan(toy_npz, gpus_per_trial=0.5), tmp_path_factory.mktemp("studies"))
    with watching(busiest):
        run_study(folder)
    return folder


def optuna_trials(folder: StudyFolder) -> list[optuna.trial.FrozenTrial]:
    storage = JournalStorage(JournalFileBackend(str(folder.journal_file)))
    return optuna.load_study(study_name=folder.name, storage=storage).trials


def assert_whole(folder: StudyFolder) -> None:
    """Every trial asked for ended once, in the records, in Optuna and in its curve."""
    records = {record.id: record for record in folder.records()}
    assert len(folder.records()) == len(records) == folder.plan.trials
    states = {"complete": "COMPLETE", "pruned": "PRUNED", "failed": "FAIL"}
    trials = {f"{t.number:05d}": t for t in optuna_trials(folder)}
    assert {i: states[r.status] for i, r in records.items()} == {
        i: t.state.name for i, t in trials.items()
    }
    for record in records.values():
        curve = folder.curve(record.id)
        assert [e["epoch"] for e in curve] == list(range(1, record.epochs + 1))
        reported = {int(e["epoch"]): e["val_rmse"] for e in curve}
        assert trials[record.id].intermediate_values == reported


def test_a_study_ends_whole(study: StudyFolder) -> None:
    assert_whole(study)
    assert study_status(study)["state"] == "finished"


def test_the_first_trials_are_the_published_configs(study: StudyFolder) -> None:
    records = {record.id: record for record in study.records()}
    assert [records[f"{i:05d}"].published for i in range(3)] == [True, True, False]
    assert {records["00000"].architecture, records["00001"].architecture} == {
        "simple_cnn",
        "parallel_cnn",
    }
    assert records["00000"].config["learning_rate"] == 1e-3
    assert records["00000"].status == records["00001"].status == "complete"


def test_half_gpus_let_four_trials_run_at_once(study: StudyFolder, busiest) -> None:
    assert trials_at_once(1.0, 0.5) == 4
    assert busiest["free_gpus"] == 0  # four actors hold half a GPU each


def test_a_trial_that_no_node_can_hold_is_refused(two_gpu_ray: None) -> None:
    with pytest.raises(ValueError, match="no node can hold a trial of 9 CPUs"):
        trials_at_once(9, 0)


def wandb_runs(folder: StudyFolder) -> dict[str, dict[str, Any]]:
    """What the W&B files hold, by run id; a second file of one run would not pass unseen."""
    files = list((folder.path / "wandb").glob("offline-run-*/run-*.wandb"))
    runs = [read_run(file) for file in files]
    assert len({run["id"] for run in runs}) == len(files)
    return {run["id"]: run for run in runs}


def assert_mirrored(folder: StudyFolder) -> None:
    """Every number of every curve stands in the trial's W&B run, under its own step."""
    runs = wandb_runs(folder)
    assert set(runs) == {record.wandb_run_id for record in folder.records()}
    for record in folder.records():
        run = runs[record.wandb_run_id or ""]
        logged = {
            step: {k: row[k] for k in row if k[0] != "_"} for step, row in run["history"].items()
        }
        assert logged == {int(e["epoch"]): e for e in folder.curve(record.id)}
        assert run["group"] == folder.name
        assert {record.architecture, record.status} <= set(run["tags"])
        assert run["config"]["learning_rate"] == record.config["learning_rate"]
        assert run["summary"]["best_val_rmse"] == record.val_rmse


def test_wandb_files_hold_every_number_of_the_curves(study: StudyFolder) -> None:
    assert_mirrored(study)


def test_export_loads_back_and_tests_once(study: StudyFolder, tmp_path: Path) -> None:
    best = export_best(study, tmp_path / "export")
    assert best == best_trial(study.records())
    export = load_export(tmp_path / "export")
    assert export.config.model_dump(mode="json") == best.config
    metrics = json.loads((tmp_path / "export" / "metrics.json").read_text())
    assert metrics["validation"]["rmse"] == pytest.approx(best.val_rmse, abs=1e-6)
    kept = json.loads((study.report / "test_metrics.json").read_text())
    assert kept == {best.id: metrics["test"]}


@pytest.mark.soak
def test_a_diverging_trial_is_recorded_and_never_stays(two_gpu_ray, toy_npz, tmp_path) -> None:
    settings = {"width": 0.1, "learning_rate": 1e30}
    folder = new_study(
        plan(toy_npz, trials=1, wandb="disabled", architectures=["simple_cnn"], set=settings),
        tmp_path,
    )
    run_study(folder)
    assert_whole(folder)
    assert {record.status for record in folder.records()} == {"failed"}
    assert "train_loss is" in folder.records()[0].reason


@pytest.mark.soak
def test_a_damaged_checkpoint_costs_its_trial_nothing_but_time(
    two_gpu_ray, toy_npz, tmp_path
) -> None:
    settings = {"width": 0.1, "batch_size": 32}
    changes = {"architectures": ["simple_cnn"], "set": settings, "wandb": "disabled"}
    folder = new_study(plan(toy_npz, trials=1, epochs=1, **changes), tmp_path)
    folder.checkpoint_folder("00000").mkdir()
    (folder.checkpoint_folder("00000") / "last.pt").write_bytes(b"cut sh")
    run_study(folder)
    assert_whole(folder)
    assert {record.status for record in folder.records()} == {"complete"}


def training_processes() -> Iterator[int]:
    """Processes below this one in which Ray runs a trial, by Linux's /proc."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            title = (folder / "cmdline").read_text()
        except OSError:
            continue  # it has just ended
        parents[int(folder.name)] = (int(fields[1]), title)
    for process, (parent, title) in parents.items():
        while parent in parents and parent != os.getpid():
            parent = parents[parent][0]
        if parent == os.getpid() and title.startswith("ray::ImplicitFunc"):
            yield process


def kill_a_worker_when(condition) -> threading.Thread:
    """SIGKILL one process that trains for this process's Ray, as soon as `condition` holds."""

    def watch() -> None:
        wait_for(condition, 60)
        os.kill(next(training_processes()), signal.SIGKILL)

    thread = threading.Thread(target=watch)
    thread.start()
    return thread


@pytest.mark.soak
def test_a_killed_worker_costs_neither_trial_nor_epoch(two_gpu_ray, toy_npz, tmp_path) -> None:
    settings = {"width": 0.1, "batch_size": 32}
    changes = {"architectures": ["simple_cnn"], "set": settings, "wandb": "disabled"}
    folder = new_study(plan(toy_npz, trials=1, epochs=12, grace_epochs=12, **changes), tmp_path)
    killer = kill_a_worker_when(lambda: len(folder.curve("00000")) >= 3)
    run_study(folder)
    killer.join()
    assert_whole(folder)
    (record,) = folder.records()
    assert (record.status, record.epochs) == ("complete", 12)


def test_a_study_that_another_process_runs_is_left_alone(study: StudyFolder) -> None:
    with study.lock().acquire(timeout=0):
        assert study.state() == "running"
        with pytest.raises(ValueError, match="another process"):
            run_study(StudyFolder(study.path))


def clean_environment() -> dict[str, str]:
    """The environment without what Ray and W&B have put into this process's own."""
    ours = {k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "WANDB_"))}
    return ours | {"WANDB_MODE": "offline"}


def wait_for(condition, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


@pytest.mark.soak
def test_a_killed_driver_loses_nothing(toy_npz: Path, tmp_path: Path) -> None:
    changes = {"architectures": ["simple_cnn"], "set": {"width": 0.1, "batch_size": 32}}
    folder = new_study(plan(toy_npz, wandb="offline", **changes), tmp_path)
    command = [GALAXYTUNE, "resume", "toy", "--storage", str(tmp_path), "--local-cpus", "2"]
    with subprocess.Popen(
        command, stderr=subprocess.DEVNULL, cwd=tmp_path, env=clean_environment()
    ) as driver:
        wait_for(lambda: len(folder.records()) >= 2, 90)
        os.kill(driver.pid, signal.SIGKILL)
    kept = folder.records()
    assert 2 <= len(kept) < 6
    wait_for(lambda: folder.state() == "interrupted", 10)
    again = subprocess.run(
        command,
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert again.returncode == 0, again.stderr
    assert "W&B" not in again.stderr, again.stderr
    assert folder.records()[: len(kept)] == kept
    assert_whole(folder)
    assert_mirrored(folder)
