"""The commands around galaxy files."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.support.command_line import Cli
from tests.support.kaggle import csv_of, jpegs, packed, put, votes_of
from tests.support.processes import wait_for
from trainables.galaxies.kaggle_places import IMAGES, SOLUTIONS
from trainables.simulation import simulate_blocks, simulate_galaxies


def test_simulated_file_passes_the_check(cli: Cli, capfd: pytest.CaptureFixture[str]) -> None:
    assert cli("data", "simulate", "g.npz", "--num-galaxies", 30, "--seed", 5) == 0
    capfd.readouterr()
    assert cli("data", "check", "g.npz", "--json") == 0
    report = json.loads(capfd.readouterr().out)
    assert report["num_galaxies"] == 30
    assert report["max_tree_residual"] < 1e-6
    assert report["fingerprint"].startswith("sha256:")


def test_build_takes_the_competitions_zip_and_groups_what_it_skips(
    cli: Cli, capfd: pytest.CaptureFixture[str]
) -> None:
    images = packed({f"{IMAGES}/{name}": one for name, one in jpegs(range(1, 9)).items()})
    parts = {f"{IMAGES}.zip": images, f"{SOLUTIONS}.csv": csv_of(votes_of([1, 2, 3, 99]))}
    put(Path(), {"all.zip": packed(parts)})
    assert cli("data", "build", "all.zip", "g.npz", "--crop", 32, "--side", 16) == 0
    told = capfd.readouterr().err
    assert f"skipped 5 files, such as {IMAGES}/4.jpg: has no votes\n" in told
    assert "3 galaxies -> g.npz; 5 images skipped\n" in told
    assert "1 galaxy of the solutions has no image" in told
    assert sorted(path.name for path in Path().iterdir()) == ["all.zip", "g.npz"]


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (["build", ".", "g.zip"], "galaxy files end in .npz, not 'g.zip'"),
        (["build", ".", "g.npz"], "holds neither training_solutions_rev1.zip nor"),
        (["build", "none", "g.npz"], "no folder none"),
        (["simulate", "folder.npz"], "folder.npz cannot be written (Is a directory)"),
        (["simulate", "g.npz", "--num-galaxies", 10**12], "disk of"),
        (["check", "unlabelled.npz"], "holds no votes"),
    ],
)
def test_what_cannot_work_is_told_in_one_line_before_the_work(
    command: list, told: str, cli: Cli, capfd: pytest.CaptureFixture[str]
) -> None:
    Path("folder.npz").mkdir()
    np.savez("unlabelled.npz", images=np.zeros((2, 8, 8, 3), np.uint8))
    assert cli("data", *command) == 2
    assert told in capfd.readouterr().err
    assert not Path("g.npz").exists()


def test_simulated_galaxies_are_the_same_in_blocks(cli: Cli) -> None:
    assert cli("data", "simulate", "g.npz", "--num-galaxies", 7, "--seed", 3) == 0
    whole = simulate_galaxies(7, seed=3)
    parts = list(simulate_blocks(7, seed=3, length=3))
    assert [len(part.ids) for part in parts] == [3, 3, 1]
    with np.load("g.npz") as stored:
        for name in stored.files:
            np.testing.assert_array_equal(stored[name], getattr(whole, name))
            blocks = np.concatenate([getattr(part, name) for part in parts])
            np.testing.assert_array_equal(blocks, getattr(whole, name))
        names = ["images", "target", "ids", "num_votes", "counts", "probabilities"]
        assert stored.files == names


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_command_leaves_no_unfinished_file(number: int, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "galaxytune", "data", "simulate", "out/g.npz"]
    command += ["--num-galaxies", "100000"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE) as process:
        wait_for(lambda: any(tmp_path.glob("out/.g.npz.*")), seconds=30)
        process.send_signal(number)
        assert process.wait(timeout=30) == 130
    assert not list((tmp_path / "out").iterdir())


def test_paths_of_arguments_are_expanded(
    cli: Cli,
    toy_npz: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("HOME", str(toy_npz.parent))
    monkeypatch.setenv("WHERE", str(tmp_path / "where"))
    monkeypatch.delenv("NOBODY_SET_IT", raising=False)
    assert cli("data", "check", f"~/{toy_npz.name}") == 0
    assert cli("data", "simulate", "$WHERE/a.npz", "--num-galaxies", "1") == 0
    assert (tmp_path / "where" / "a.npz").is_file()
    for arguments in (["data", "build", "$NOBODY_SET_IT", "a.npz"], ["doctor", "$NOBODY_SET_IT"]):
        assert cli(*arguments) == 2
        assert "the environment variable NOBODY_SET_IT is not set" in capfd.readouterr().err
