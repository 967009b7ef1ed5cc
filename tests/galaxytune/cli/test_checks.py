"""The command `doctor`, without any Ray to connect to."""

import json
from pathlib import Path

import pytest

from galaxytune.doctor.health_check import Check
from tests.support.command_line import Cli

NOBODY_LISTENS = ["--address", "127.0.0.1:1"]


def test_a_failed_check_is_told_in_a_document_and_ends_with_code_1(
    cli: Cli, toy_npz: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    Path("plan.yaml").write_text(
        f"name: toy\narchitectures: [simple_cnn]\ndata: {toy_npz}\ntrials: 2\nepochs: 1\n"
    )
    assert cli("doctor", "plan.yaml", "--json", *NOBODY_LISTENS) == 1
    out, err = capfd.readouterr()
    assert err == "galaxytune: failed: 1 check failed: Ray\n"
    told = json.loads(out)
    assert told["healthy"] is False and told["estimate"] is None
    assert set(Check.__dataclass_fields__) == set(told["checks"][0])
    assert {"name", "status", "found", "remedy"} == set(told["checks"][0])
    assert "'toy' is a free name" in [check["found"] for check in told["checks"]]


def test_the_checks_are_a_table_with_what_to_do(
    cli: Cli, capfd: pytest.CaptureFixture[str]
) -> None:
    assert cli("doctor", *NOBODY_LISTENS) == 1
    out = " ".join(capfd.readouterr().out.replace("│", " ").split())  # cells may be wrapped
    assert "Doctor" in out and "no Ray cluster at '127.0.0.1:1'" in out
    assert "-> run `ray start --head` on that machine" in out


def test_a_dry_run_checks_and_makes_no_study(
    cli: Cli, toy_npz: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--name", "s", "--architecture", "simple_cnn", "--data", toy_npz]
    asked = [*arguments, "--trials", "2", "--epochs", "1", "--dry-run", *NOBODY_LISTENS]
    assert cli("search", *asked) == 1
    assert "1 check failed: Ray" in capfd.readouterr().err
    assert not Path("studies").exists()
