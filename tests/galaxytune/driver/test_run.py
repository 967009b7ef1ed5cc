"""Whole studies on a real Ray: what they leave, and what a killed driver does not lose."""

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import ray

from analysis.records.leaderboard import best_trial
from galaxytune.cluster.connection import trials_at_once
from galaxytune.driver.run import run_study
from galaxytune.models.ensemble import export_ensemble
from galaxytune.models.export import export_best
from galaxytune.models.export_folder import load_export
from galaxytune.models.kept_trials import kept_trials
from galaxytune.study.folder import StudyFolder
from galaxytune.study.status import study_status
from search_spaces.declaration.errors import InvalidInput
from tests.support.processes import (
    clean_environment,
    kill_a_driver_when,
    kill_a_worker_when,
    resume_command,
)
from tests.support.studies import assert_mirrored, assert_whole, training_study
from trainables.galaxies import Galaxies
from trainables.training import rmse

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("two_gpu_ray")]

BOTH = {
    "architectures": ["simple_cnn", "parallel_cnn"],
    "set": {"simple_cnn.width": 0.1, "parallel_cnn.width": 0.03, "batch_size": 32},
    "wandb": "offline",
}


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
def study(
    busiest: dict[str, float], toy_npz: Path, tmp_path_factory: pytest.TempPathFactory
) -> StudyFolder:
    """A finished study of six trials, half a GPU each."""
    storage = tmp_path_factory.mktemp("studies")
    folder = training_study(toy_npz, storage, gpus_per_trial=0.5, **BOTH)
    with watching(busiest):
        run_study(folder)
    return folder


def test_a_study_ends_whole(study: StudyFolder) -> None:
    assert_whole(study)
    assert study_status(study).state == "finished"


def test_the_first_trials_are_the_published_configs(study: StudyFolder) -> None:
    records = {record.id: record for record in study.records()}
    assert [records[f"{i:05d}"].published for i in range(3)] == [True, True, False]
    assert {records["00000"].architecture, records["00001"].architecture} == {
        "simple_cnn",
        "parallel_cnn",
    }
    assert records["00000"].config.learning_rate == 1e-3
    assert records["00000"].status == records["00001"].status == "complete"


def test_half_gpus_let_four_trials_run_at_once(
    study: StudyFolder, busiest: dict[str, float]
) -> None:
    assert trials_at_once(1.0, 0.5) == 4
    assert busiest["free_gpus"] == 0  # four actors hold half a GPU each


def test_a_trial_that_no_node_can_hold_is_refused() -> None:
    with pytest.raises(InvalidInput, match="no node can hold a trial of 9 CPUs"):
        trials_at_once(9, 0)


def test_wandb_files_hold_every_number_of_the_curves(study: StudyFolder) -> None:
    assert_mirrored(study)


def test_export_loads_back_and_tests_once(study: StudyFolder, tmp_path: Path) -> None:
    best = export_best(study, tmp_path / "export")
    assert best == best_trial(study.records())
    export = load_export(tmp_path / "export")
    assert export.config == best.config
    metrics = json.loads((tmp_path / "export" / "metrics.json").read_text())
    assert metrics["validation"]["rmse"] == pytest.approx(best.val_rmse, abs=1e-6)
    kept = json.loads((study.report / "test_metrics.json").read_text())
    assert kept == {best.id: metrics["test"]}


def test_kept_trials_keep_what_they_predict_and_form_an_ensemble(
    study: StudyFolder, toys: Galaxies, tmp_path: Path
) -> None:
    kept = {path.parent.name for path in study.checkpoints.glob("*/best.safetensors")}
    assert kept == {path.parent.name for path in study.checkpoints.glob("*/best_validation.npy")}
    rows = study.split_rows().validation
    trials = kept_trials(study)
    for trial in trials:
        predicted = np.load(study.checkpoint_folder(trial.record.id) / "best_validation.npy")
        error = rmse(predicted.astype(np.float32), toys.target[rows])
        assert error == pytest.approx(trial.record.val_rmse, abs=1e-4)
    export_ensemble(study, tmp_path / "ensemble", "auto")
    export = load_export(tmp_path / "ensemble")
    assert export.metrics["validation"]["rmse"] <= (trials[0].record.val_rmse or 0) + 1e-4


@pytest.mark.soak
def test_a_diverging_trial_is_recorded_and_never_stays(toy_npz: Path, tmp_path: Path) -> None:
    settings = {"width": 0.1, "learning_rate": 1e30}
    folder = training_study(toy_npz, tmp_path, trials=1, set=settings)
    run_study(folder)
    assert_whole(folder)
    assert {record.status for record in folder.records()} == {"failed"}
    assert "train_loss is" in folder.records()[0].reason


@pytest.mark.soak
def test_a_damaged_checkpoint_costs_its_trial_nothing_but_time(
    toy_npz: Path, tmp_path: Path
) -> None:
    folder = training_study(toy_npz, tmp_path, trials=1, epochs=1)
    folder.checkpoint_folder("00000").mkdir()
    (folder.checkpoint_folder("00000") / "last.pt").write_bytes(b"cut sh")
    run_study(folder)
    assert_whole(folder)
    assert {record.status for record in folder.records()} == {"complete"}


@pytest.mark.soak
def test_a_killed_worker_costs_neither_trial_nor_epoch(toy_npz: Path, tmp_path: Path) -> None:
    folder = training_study(toy_npz, tmp_path, trials=1, epochs=12, grace_epochs=12)
    killer = kill_a_worker_when(lambda: len(folder.curve("00000")) >= 3)
    run_study(folder)
    killer.join()
    assert_whole(folder)
    (record,) = folder.records()
    assert (record.status, record.epochs) == ("complete", 12)


def test_a_study_that_another_process_runs_is_left_alone(study: StudyFolder) -> None:
    with study.lock().acquire(timeout=0):
        assert study.state() == "running"
        with pytest.raises(InvalidInput, match="another process"):
            run_study(StudyFolder(study.path))


@pytest.mark.soak
def test_a_killed_driver_loses_nothing(toy_npz: Path, tmp_path: Path) -> None:
    folder = training_study(toy_npz, tmp_path, wandb="offline")
    kill_a_driver_when(lambda: len(folder.records()) >= 2, folder, cpus=2)
    kept = folder.records()
    assert 2 <= len(kept) < 6
    again = subprocess.run(
        resume_command(folder, cpus=2),
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
