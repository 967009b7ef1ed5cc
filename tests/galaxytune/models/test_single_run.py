"""Training one config without Ray."""

import json
from pathlib import Path

import numpy as np
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


def test_a_calibrated_export_says_so(cli: Cli, toy_npz: Path, tmp_path: Path) -> None:
    with np.load(toy_npz) as arrays:
        flags = np.arange(len(arrays["ids"])) % 2 == 0
        np.savez(tmp_path / "flagged.npz", **{**arrays, "unbiased": flags})
    values = ["--set", "width=0.1", "--set", "calibration=votes", "--epochs", "1"]
    out = tmp_path / "model"
    assert cli("train", "simple_cnn", out, *values, "--data", tmp_path / "flagged.npz") == 0
    assert json.loads((out / "metrics.json").read_text())["calibrated"] is True
    assert "was calibrated on the validation galaxies" in (out / "README.md").read_text()
    assert cli("train", "simple_cnn", tmp_path / "plain", *values, "--data", toy_npz) == 0
    assert json.loads((tmp_path / "plain/metrics.json").read_text())["calibrated"] is False
    assert "was calibrated" not in (tmp_path / "plain/README.md").read_text()
