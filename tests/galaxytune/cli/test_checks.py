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
    assert cli("search", *asked) == 2
    out, err = capfd.readouterr()
    assert "'s' is a free name" in out and "no Ray cluster at '127.0.0.1:1'" in err
    assert not Path("studies").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (["--num-galaxies", "10000"], "the number of galaxies must lie in 10..200, got 10000"),
        (["--data", "missing.npz"], "missing.npz"),
        (["--name", "taken"], "study 'taken' exists in"),
        (["--storage", "file"], "file is a file"),
        (["--wandb", "online"], "there is no API key"),
        ([], "no Ray cluster at '127.0.0.1:1'"),
    ],
    ids=str,
)
def test_a_dry_run_refuses_what_the_search_refuses(
    wrong: list[str],
    told: str,
    cli: Cli,
    toy_npz: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", str(Path().resolve()))  # no API key is there
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    Path("studies/taken").mkdir(parents=True)
    Path("studies/taken/plan.yaml").touch()
    Path("file").touch()
    _refuse_alike(cli, capfd, told, [*_asked(toy_npz), *NOBODY_LISTENS, *wrong])


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.parametrize("share", [["--cpus-per-trial", "64"], ["--gpus-per-trial", "1"]], ids=str)
def test_a_dry_run_refuses_a_trial_that_no_node_can_hold(
    share: list[str],
    cli: Cli,
    toy_npz: Path,
    small_ray: None,
    capfd: pytest.CaptureFixture[str],
) -> None:
    _refuse_alike(cli, capfd, "no node can hold a trial of", [*_asked(toy_npz), *share])


def _asked(data: Path) -> list[str]:
    """The options of a small search."""
    asked = ["--name", "s", "--architecture", "simple_cnn", "--data", str(data)]
    return [*asked, "--trials", "2", "--epochs", "1"]


def _refuse_alike(
    cli: Cli, capfd: pytest.CaptureFixture[str], told: str, arguments: list[str]
) -> None:
    """Assert that a search and its dry run end with the same line, which holds `told`."""
    lines = []
    for asked in (arguments, [*arguments, "--dry-run"]):
        assert cli("search", *asked) == 2
        lines.append(capfd.readouterr().err.splitlines()[-1])
    assert lines[0] == lines[1] and told in lines[0]
