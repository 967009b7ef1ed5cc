"""What galaxytune 0.1.0 left goes on today: an interrupted study, and a trained folder."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import galaxytune
from galaxytune.study.folder import StudyFolder
from tests.support.command_line import Cli, run_main
from tests.support.studies import assert_whole
from trainables.decision_tree import COLUMNS
from trainables.galaxies.galaxy_file import open_galaxies
from trainables.galaxies.split import split_galaxies

OLD = Path(__file__).resolve().parents[2] / "support" / "study_of_0_1_0"
TRAIN = ["train", "simple_cnn", "--set", "width=0.05", "--set", "batch_size=32", "--epochs", "2"]
Captured = pytest.CaptureFixture[str]


@dataclass(frozen=True)
class Old:
    """A copy of what 0.1.0 left."""

    storage: Path

    @property
    def study(self) -> StudyFolder:
        return StudyFolder(self.storage / "before")

    @property
    def trained(self) -> Path:
        return self.storage / "trained"

    @property
    def galaxies(self) -> Path:
        return self.storage / "galaxies.npz"

    @property
    def arguments(self) -> list[str]:
        return ["before", "--storage", str(self.storage)]


def copied(storage: Path) -> Old:
    old = Old(Path(shutil.copytree(OLD, storage)))
    plan = old.study.plan_file
    plan.write_text(plan.read_text().replace("GALAXIES", str(old.galaxies)))
    return old


@pytest.fixture
def old(tmp_path: Path) -> Old:
    """A copy of what 0.1.0 left, of which nothing has been touched since."""
    return copied(tmp_path / "old")


def test_its_status_is_told(old: Old, cli: Cli, capfd: Captured) -> None:
    assert cli("status", *old.arguments, "--json") == 0
    told = json.loads(capfd.readouterr().out)
    assert told["state"] == "interrupted"
    counts = {name: number for name, number in told["counts"].items() if number}
    assert counts == {"complete": 2, "paused": 1, "waiting": 1}


def test_its_trained_folder_loads_and_predicts_as_it_did(old: Old) -> None:
    model = galaxytune.load_model(old.trained)
    galaxies = open_galaxies(old.galaxies)
    rows = split_galaxies(galaxies, "hash").validation
    predicted = model.predict(old.galaxies)[list(COLUMNS)].to_numpy()
    rmse = np.sqrt(np.mean((predicted - galaxies.target)[rows] ** 2))
    assert rmse == pytest.approx(model.metrics["validation"]["rmse"], abs=1e-6)


def test_training_it_again_continues_and_writes_the_same_curve(
    old: Old, cli: Cli, capfd: Captured
) -> None:
    before = (old.trained / "curve.jsonl").read_bytes()
    arguments = [*TRAIN, old.trained, "--data", old.galaxies]
    assert cli(*arguments) == 0
    assert (old.trained / "curve.jsonl").read_bytes() == before
    last = json.loads(before.splitlines()[-1])
    assert f"epoch 2/2  training RMSE {last['train_rmse']:.4f}" in capfd.readouterr().err


def test_training_another_config_there_is_refused(old: Old, cli: Cli, capfd: Captured) -> None:
    arguments = [*TRAIN, old.trained, "--data", old.galaxies, "--set", "dropout=0.1"]
    assert cli(*arguments) == 2
    assert "holds the run of another config" in capfd.readouterr().err


@pytest.fixture(scope="module")
def resumed(single_ray: None, tmp_path_factory: pytest.TempPathFactory) -> Old:
    """A copy whose study was resumed to its end."""
    old = copied(tmp_path_factory.mktemp("resumed") / "old")
    assert run_main("resume", *old.arguments, "--local-cpus", "1") == 0
    return old


@pytest.mark.ray
def test_a_resume_finishes_it_and_leaves_what_had_ended(resumed: Old) -> None:
    assert_whole(resumed.study)
    assert resumed.study.state() == "finished"
    before = (OLD / "before" / "trials.jsonl").read_bytes()
    assert before.count(b"\n") == 2
    assert resumed.study.records_file.read_bytes().startswith(before)
    for trial_id in ("00000", "00001", "00002"):
        curve = (OLD / "before" / "curves" / f"{trial_id}.jsonl").read_bytes()
        assert resumed.study.curve_file(trial_id).read_bytes().startswith(curve)


@pytest.mark.ray
def test_the_resume_ends_as_that_of_0_1_0_does(resumed: Old) -> None:
    found = {record.id: (record.status, record.val_rmse) for record in resumed.study.records()}
    assert found == {
        "00000": ("complete", pytest.approx(0.43202, abs=1e-3)),
        "00001": ("complete", pytest.approx(0.43273, abs=1e-3)),
        "00002": ("pruned", pytest.approx(0.43332, abs=1e-3)),
        "00003": ("complete", pytest.approx(0.43124, abs=1e-3)),
    }
    drawn = {record.id: record.config.learning_rate for record in resumed.study.records()}
    assert drawn["00002"] == 0.0016051911333587634
    assert drawn["00003"] == 0.0022771635188113897


@pytest.mark.ray
def test_its_leaderboard_and_report_are_made(
    resumed: Old, cli: Cli, tmp_path: Path, capfd: Captured
) -> None:
    assert cli("leaderboard", *resumed.arguments, "--json") == 0
    rows = json.loads(capfd.readouterr().out)["trials"]
    assert [row["id"] for row in rows] == ["00003", "00000", "00001", "00002"]
    name, *storage = resumed.arguments
    assert cli("report", name, "report", *storage) == 0
    assert "parallel_cnn" in (tmp_path / "report" / "report.html").read_text()


@pytest.mark.ray
def test_its_best_network_is_exported_loaded_and_predicts(
    resumed: Old, cli: Cli, tmp_path: Path
) -> None:
    name, *storage = resumed.arguments
    assert cli("export", name, "best", *storage) == 0
    model = galaxytune.load_model(tmp_path / "best")
    assert model.provenance["trial"] == "00003"
    assert model.metrics["validation"]["rmse"] == pytest.approx(0.43124, abs=1e-3)
    assert cli("predict", "best", resumed.galaxies, "predictions.csv") == 0
    assert pd.read_csv("predictions.csv").shape == (60, 38)
