"""The command line: what is wrong gets one line and exit code 2, what is right gets done."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import ray
from PIL import Image

from galaxytune.cli import main
from trainables.decision_tree import COLUMNS


def run(monkeypatch: pytest.MonkeyPatch, *arguments: Any) -> int:
    monkeypatch.setattr(sys, "argv", ["galaxytune", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: run(monkeypatch, *arguments)


def search_arguments(data: Path, *more: str) -> list[str]:
    fixed = ["search", "--data", str(data), "--name", "s", "--trials", "2", "--epochs", "1"]
    return [*fixed, *more]


def test_the_installed_command_answers() -> None:
    command = Path(sys.executable).with_name("galaxytune")
    answer = subprocess.run([command, "--help"], capture_output=True, text=True)
    assert answer.returncode == 0
    assert "search" in answer.stdout


def test_wrong_input_gets_one_line_and_code_2(cli, toy_npz: Path, tmp_path: Path, capfd) -> None:
    plan = tmp_path / "plan.yaml"
    plan.write_text("architectures: [simple_cnn]\ntrails: 3\n")
    broken = tmp_path / "broken.npz"
    broken.write_bytes(toy_npz.read_bytes()[:5000])
    simple = ["--architecture", "simple_cnn"]
    cases = {
        "did you mean 'simple_cnn'": search_arguments(toy_npz, "--architecture", "simple_cn"),
        "did you mean 'learning_rate'": search_arguments(toy_npz, *simple, "--set", "learning_rat=1"),  # noqa: E501
        "learning_rate": search_arguments(toy_npz, *simple, "--set", "learning_rate=fast"),
        "should be a number": search_arguments(toy_npz, *simple, "--set", "batch_size=true"),
        "key=value": search_arguments(toy_npz, *simple, "--set", "learning_rate"),
        "did you mean 'trials'": [*search_arguments(toy_npz), str(plan)],
        "no node can hold": search_arguments(
            toy_npz, *simple, "--gpus-per-trial", "8", "--local-cpus", "1"
        ),
        "needs --architecture": search_arguments(toy_npz),
        "no galaxy file": search_arguments(tmp_path / "none.npz", *simple),
        "broken.npz is not a whole npz": search_arguments(broken, *simple),
        "not a whole npz": ["data", "check", str(broken)],
        "no study 'nowhere'": ["leaderboard", "nowhere"],
        "--gpu": search_arguments(toy_npz, "--gpu", "1"),
        "'offline', 'online' or 'disabled'": search_arguments(toy_npz, *simple, "--wandb", "maybe"),  # noqa: E501
        "no export folder": ["predict", str(tmp_path), str(toy_npz), "out.csv"],
        "num_galaxies": ["data", "simulate", "x.npz", "--num-galaxies", "0"],
    }  # fmt: skip
    cases["num_galaxies"][-2:] = ["--num-galaxies", "few"]
    for expected, arguments in cases.items():
        assert cli(*arguments) == 2, arguments
        lines = capfd.readouterr().err.strip().splitlines()
        assert len(lines) == 1, lines
        assert expected.replace("num_galaxies", "--num-galaxies") in lines[0], lines
    assert not (tmp_path / "studies").exists()
    assert not ray.is_initialized()  # where a search began one before it knew


def test_a_seed_that_the_grid_overrules_is_refused(
    cli, toy_npz: Path, tmp_path: Path, capfd
) -> None:
    plan = tmp_path / "plan.yaml"
    plan.write_text("name: s\narchitectures: [simple_cnn]\nepochs: 1\ngrid: {seed: [0, 1]}\n")
    assert cli("search", plan, "--data", toy_npz, "--seed", 7) == 2
    line = "galaxytune: grid and --seed 7 both decide 'seed'; leave one of them out\n"
    assert capfd.readouterr().err == line and not (tmp_path / "studies").exists()


def test_simulated_file_passes_the_check(cli, capfd) -> None:
    assert cli("data", "simulate", "g.npz", "--num-galaxies", 30, "--seed", 5) == 0
    capfd.readouterr()
    assert cli("data", "check", "g.npz", "--json") == 0
    report = json.loads(capfd.readouterr().out)
    assert report["num_galaxies"] == 30
    assert report["max_tree_residual"] < 1e-6
    assert report["fingerprint"].startswith("sha256:")


def test_architectures_are_listed_with_published_counts(cli, capfd) -> None:
    assert cli("architectures", "--json") == 0
    rows = {row["name"]: row for row in json.loads(capfd.readouterr().out)}
    assert {n: (r["total_parameters"], r["trainable_parameters"]) for n, r in rows.items()} == {
        "parallel_cnn": (1_160_165, 1_159_653),
        "simple_cnn": (522_469, 522_469),
        "vision_transformer": (1_821_477, 1_821_477),
        "resnet50": (27_859_877, 4_272_165),
        "vgg16": (27_579_237, 12_864_549),
    }
    assert cli("architectures", "timm:test_vit", "--json") == 0
    (row,) = json.loads(capfd.readouterr().out)
    assert row["name"] == "timm:test_vit" and row["total_parameters"] > 0


@pytest.fixture(scope="module")
def trained(toy_npz: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export folder, trained for two epochs."""
    out = tmp_path_factory.mktemp("trained") / "model"
    patch = pytest.MonkeyPatch()
    settings = ["--set", "width=0.1", "--epochs", "2", "--data", toy_npz]
    assert run(patch, "train", "simple_cnn", out, *settings) == 0
    patch.undo()
    return out


def test_train_writes_a_whole_export_folder(trained: Path) -> None:
    names = {path.name for path in trained.iterdir()}
    assert {"config.yaml", "model.safetensors", "metrics.json", "provenance.json"} <= names
    metrics = json.loads((trained / "metrics.json").read_text())["validation"]
    low, high = metrics["rmse_interval_95"]
    assert low < metrics["rmse"] < high


def test_train_again_continues_and_refuses_another_config(cli, trained, toy_npz, capfd) -> None:
    before = (trained / "curve.jsonl").read_text()
    same = ["--set", "width=0.1", "--epochs", "2", "--data", toy_npz]
    assert cli("train", "simple_cnn", trained, *same) == 0
    assert (trained / "curve.jsonl").read_text() == before
    assert cli("train", "simple_cnn", trained, "--data", toy_npz) == 2
    assert "another config" in capfd.readouterr().err


def test_predict_reads_folder_zip_npz_and_catalog_alike(cli, trained, toy_npz, tmp_path) -> None:
    pixels = np.load(toy_npz)["images"][:3]
    folder = tmp_path / "images"
    folder.mkdir()
    for i, image in enumerate(pixels):
        Image.fromarray(image).save(folder / f"g{i}.png")
    catalog = pd.DataFrame({"id_str": ["g0", "g1", "g2"]})
    catalog["file_loc"] = [f"images/g{i}.png" for i in range(3)]
    catalog.to_csv(tmp_path / "catalog.csv")
    catalog.to_parquet(tmp_path / "catalog.parquet")
    assert cli("predict", trained, folder, "folder.csv") == 0
    assert cli("predict", trained, "catalog.csv", "catalog_csv.CSV") == 0
    assert cli("predict", trained, "catalog.parquet", "table.parquet") == 0
    assert cli("predict", trained, toy_npz, "npz.parquet") == 0
    table = pd.read_csv("folder.csv")
    assert list(table.columns) == ["id_str", *COLUMNS]
    assert list(table["id_str"]) == ["g0", "g1", "g2"]
    assert Path("folder.csv").read_text() == Path("catalog_csv.CSV").read_text()
    npz = pd.read_parquet("npz.parquet")[list(COLUMNS)].to_numpy()
    assert np.allclose(table[list(COLUMNS)], npz[:3], atol=2e-6)
    assert np.allclose(pd.read_parquet("table.parquet")[list(COLUMNS)], npz[:3], atol=1e-6)


def test_predict_names_and_skips_an_unreadable_image(cli, trained, tmp_path, capfd) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(folder / "good.png")
    (folder / "bad.jpg").write_bytes(b"\xff\xd8 not a picture")
    assert cli("predict", trained, folder, "out.csv") == 0
    error = capfd.readouterr().err
    assert "skipped bad" in error and "1 images skipped" in error
    assert list(pd.read_csv("out.csv")["id_str"]) == ["good"]
