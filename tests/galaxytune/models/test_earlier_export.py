"""A network that was trained before is tuned: by the command, in a plan, and from Python."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import galaxytune
from galaxytune.models.export_folder import load_export
from galaxytune.plan.checks import check_networks
from galaxytune.plan.making import make_plan
from galaxytune.plan.paths import with_absolute_files, with_given_paths
from search_spaces.declaration import InvalidInput
from tests.support.command_line import Cli
from tests.support.networks import noise


def test_train_begins_from_an_export_and_its_own_export_needs_it_no_more(
    cli: Cli, trained: Path, toy_npz: Path, tmp_path: Path
) -> None:
    (tmp_path / "first").mkdir()
    for name in ("config.yaml", "model.safetensors", "provenance.json"):
        (tmp_path / "first" / name).write_bytes((trained / name).read_bytes())
    settings = ["--set", "width=0.1", "--set", "begin_from=first", "--set", "learning_rate=1e-30"]
    assert cli("train", "simple_cnn", "tuned", "--data", toy_npz, "--epochs", "1", *settings) == 0
    (tmp_path / "first").rename(tmp_path / "gone")
    tuned = load_export(Path("tuned"))
    assert tuned.config.begin_from == str(tmp_path / "first")
    for name, tensor in load_export(trained).network.state_dict().items():
        found = tuned.network.state_dict()[name]
        torch.testing.assert_close(found, tensor, rtol=0, atol=1e-25)  # a step is 1e-30
    images = noise(2, 64)
    predicted = [
        galaxytune.load_model(one).predict(images).iloc[:, 1:] for one in ("tuned", "gone")
    ]
    np.testing.assert_array_equal(predicted[0], predicted[1])


def test_an_export_that_does_not_fit_is_told_before_anything_trains(
    cli: Cli, trained: Path, toy_npz: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    settings = ["--set", "width=0.2", "--set", f"begin_from={trained}", "--data", toy_npz]
    assert cli("train", "simple_cnn", "tuned", *settings) == 2
    told = capfd.readouterr().err
    assert "holds a network with width=0.1, not 0.2" in told and told.count("\n") == 1
    assert not Path("tuned").exists()


def test_python_takes_a_path_with_a_home_folder(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(trained.parent))
    for given in (f"~/{trained.name}", Path("~") / trained.name):
        config = galaxytune.make_config("simple_cnn", width=0.1, begin_from=given)
        assert config.begin_from == str(trained)


def test_a_plan_holds_whole_paths_of_exports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    values = {"name": "p", "data": "x.npz", "epochs": 2, "architectures": ["simple_cnn"]}
    made = make_plan({**values, "trials": 1, "set": {"simple_cnn.begin_from": "first"}})
    assert with_absolute_files(made).set == {"simple_cnn.begin_from": f"{tmp_path}/first"}
    grid = with_given_paths({"grid": {"begin_from": ["~/first", None]}})["grid"]
    assert grid == {"begin_from": [f"{tmp_path}/home/first", None]}
    made = make_plan({**values, "grid": {"begin_from": ["first", None]}})
    assert with_absolute_files(made).grid[0]["begin_from"] == [f"{tmp_path}/first", None]


def test_a_search_that_varies_the_form_of_the_network_says_what_to_hold_fixed(
    cli: Cli, toy_npz: Path, tmp_path: Path
) -> None:
    small = ["--set", "input_side=16", "--set", "head=sigmoid", "--epochs", "1"]
    assert cli("train", "residual_cnn", "first", "--data", toy_npz, *small) == 0
    values = {"name": "p", "data": "x.npz", "epochs": 2, "architectures": ["residual_cnn"]}

    def check(**fixed: Any) -> None:
        """Check the networks of a search that begins from the export, with some values fixed."""
        given = {"begin_from": f"{tmp_path}/first", "input_side": 16, "head": "sigmoid"}
        check_networks(make_plan({**values, "trials": 2, "set": given | fixed}))

    with pytest.raises(InvalidInput, match="holds a network with depth=2, not 1: "):
        check(depth=1)
    told = "a search that varies width and depth draws .* add --set residual_cnn.width=1.0 --set "
    with pytest.raises(InvalidInput, match=f"{told}residual_cnn.depth=2$"):
        check()
    check(width=1.0, depth=2)
