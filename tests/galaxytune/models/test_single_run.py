"""Training one config without Ray."""

import json
from pathlib import Path

import pytest

from tests.support.command_line import Cli
from trainables.files import save_state


def test_train_writes_a_whole_export_folder(trained: Path) -> None:
    names = {path.name for path in trained.iterdir()}
    assert {"config.yaml", "model.safetensors", "metrics.json", "provenance.json"} <= names
    metrics = json.loads((trained / "metrics.json").read_text())["validation"]
    low, high = metrics["rmse_interval_95"]
    assert low < metrics["rmse"] < high
    low, high = metrics["rmse_8_views_difference_interval_95"]
    assert low < metrics["rmse_8_views"] - metrics["rmse"] < high
    assert "`predict` uses 1 view unless `--views 8`" in (trained / "README.md").read_text()


def test_train_again_continues_and_refuses_another_config(
    cli: Cli, trained: Path, toy_npz: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = (trained / "curve.jsonl").read_text()
    same = ["--set", "width=0.1", "--epochs", "2", "--data", toy_npz]
    assert cli("train", "simple_cnn", trained, *same) == 0
    assert (trained / "curve.jsonl").read_text() == before
    assert cli("train", "simple_cnn", trained, "--data", toy_npz) == 2
    assert "another config" in capfd.readouterr().err


def test_a_folder_with_the_state_of_a_trial_is_refused(
    cli: Cli, toy_npz: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    save_state(tmp_path / "trial", {"epochs": 1})
    (tmp_path / "trial").mkdir(exist_ok=True)
    assert cli("train", "simple_cnn", tmp_path / "trial", "--data", toy_npz) == 2
    assert "holds the run of another config" in capfd.readouterr().err
