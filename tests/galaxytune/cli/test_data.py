"""The commands around galaxy files."""

import json

import pytest

from tests.support.command_line import Cli


def test_simulated_file_passes_the_check(cli: Cli, capfd: pytest.CaptureFixture[str]) -> None:
    assert cli("data", "simulate", "g.npz", "--num-galaxies", 30, "--seed", 5) == 0
    capfd.readouterr()
    assert cli("data", "check", "g.npz", "--json") == 0
    report = json.loads(capfd.readouterr().out)
    assert report["num_galaxies"] == 30
    assert report["max_tree_residual"] < 1e-6
    assert report["fingerprint"].startswith("sha256:")
