"""The command line itself: its exit codes, and what it says of an error."""

import errno
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from galaxytune import __version__
from galaxytune.cli import app
from search_spaces.declaration.errors import InvalidInput, StudyInterrupted, WorkFailed
from tests.support.command_line import Cli
from tests.support.processes import GALAXYTUNE, clean_environment
from tests.support.studies import BeginStudy

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def faults(tmp_path: Path) -> Path:
    """The folder in which the tracebacks of faults are written."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder


def run_with_a_library_that_raises(
    error: BaseException, cli: Cli, faults: Path, *options: str
) -> int:
    """Run a command while the library that prints its JSON document raises an error."""

    def raising(*_: object, **__: object) -> str:
        raise error

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json, "dumps", raising)
        patch.setattr(tempfile, "tempdir", str(faults))
        return cli(*options, "architectures", "simple_cnn", "--json")


def test_the_installed_command_answers() -> None:
    answer = subprocess.run([GALAXYTUNE, "--help"], capture_output=True, text=True)
    assert answer.returncode == 0
    assert "search" in answer.stdout


def test_python_runs_the_command_where_it_is_not_installed() -> None:
    command = [sys.executable, "-m", "galaxytune", "--version"]
    told = subprocess.run(command, capture_output=True, text=True, env=clean_environment())
    assert (told.returncode, told.stdout.strip()) == (0, f"galaxytune {__version__}")


def test_a_current_folder_that_is_gone_is_told_in_one_line(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    command = f"mkdir {gone}; cd {gone}; rmdir {gone}; {GALAXYTUNE} --version"
    told = subprocess.run(["sh", "-c", command], capture_output=True, text=True)
    assert told.returncode == 2
    assert told.stderr == "galaxytune: the current folder no longer exists; cd to another\n"


def test_without_arguments_it_prints_its_help(cli: Cli, capfd: Captured) -> None:
    assert cli() == 0
    assert "leaderboard" in capfd.readouterr().out


def test_the_version_is_printed(cli: Cli, capfd: Captured) -> None:
    assert cli("--version") == 0
    assert capfd.readouterr() == (f"galaxytune {__version__}\n", "")


def test_debug_shows_the_traceback_of_a_mistake(cli: Cli, capfd: Captured) -> None:
    assert cli("--debug", "leaderboard", "nowhere") == 2
    lines = capfd.readouterr().err.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-1].startswith("galaxytune: no study 'nowhere'")
    assert cli("leaderboard", "nowhere") == 2  # the next command is not debugged
    assert capfd.readouterr().err.splitlines() == lines[-1:]


@pytest.mark.parametrize(
    "error",
    [
        TypeError("no\nJSON"),
        ValueError("Out of range float values are not JSON compliant"),
        ZeroDivisionError(),
        KeyError("x"),
        AssertionError("never"),
        OSError(errno.ENOENT, "No such file"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_fault_is_one_line_that_names_the_file_with_its_traceback(
    error: Exception, cli: Cli, faults: Path, capfd: Captured
) -> None:
    assert run_with_a_library_that_raises(error, cli, faults) == 1
    out, told = capfd.readouterr()
    assert out == "" and told.count("\n") == 1
    name = type(error).__name__
    assert told.startswith(f"galaxytune: an error in galaxytune, not in your input: {name}")
    named = re.search(r"with the traceback in (\S+)\n$", told)
    assert named is not None and Path(named[1]).parent == faults
    text = Path(named[1]).read_text()
    assert "Traceback (most recent call last):" in text and "raising" in text and name in text
    assert f"galaxytune {__version__}" in text and "['galaxytune', 'architectures'" in text


def test_debug_shows_the_traceback_of_a_fault_too(cli: Cli, faults: Path, capfd: Captured) -> None:
    error = TypeError("no JSON")
    assert run_with_a_library_that_raises(error, cli, faults, "--debug") == 1
    lines = capfd.readouterr().err.splitlines()
    assert lines[0] == "Traceback (most recent call last):" and "TypeError: no JSON" in lines
    assert lines[-1].endswith(str(next(faults.iterdir())))


def test_where_no_file_can_be_written_the_traceback_of_a_fault_is_shown(
    cli: Cli, faults: Path, capfd: Captured
) -> None:
    error = TypeError("no JSON")
    assert run_with_a_library_that_raises(error, cli, faults / "nowhere") == 1
    lines = capfd.readouterr().err.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-1].endswith("please report it with the traceback above")


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (InvalidInput("the key\nis wrong"), 2, "galaxytune: the key is wrong"),
        (WorkFailed("2 trials are left"), 1, "galaxytune: failed: 2 trials are left"),
        (
            OSError(errno.ENOSPC, "No space left on device", "x"),
            1,
            "galaxytune: failed: [Errno 28] No space left on device: 'x'",
        ),
        (StudyInterrupted("3 trials are left"), 130, "galaxytune: 3 trials are left"),
        (KeyboardInterrupt(), 130, "galaxytune: stopped"),
    ],
    ids=lambda given: type(given).__name__,
)
def test_each_kind_of_error_has_its_exit_code_and_one_line(
    error: BaseException,
    code: int,
    line: str,
    cli: Cli,
    faults: Path,
    capfd: Captured,
) -> None:
    assert run_with_a_library_that_raises(error, cli, faults) == code
    told = capfd.readouterr().err
    assert told.startswith(line) and told.count("\n") == 1
    assert list(faults.iterdir()) == []  # none of them is a fault


def test_an_unknown_option_is_the_users_mistake(cli: Cli, capfd: Captured) -> None:
    assert cli("leaderboard", "--no-such-option") == 2
    assert capfd.readouterr().err == "galaxytune: No such option: --no-such-option\n"


def test_a_closed_pipe_is_not_spoken_of(begin_study: BeginStudy) -> None:
    storage = begin_study().path.parent
    reading, writing = os.pipe()
    os.close(reading)
    try:
        command = [GALAXYTUNE, "status", "s", "--json", "--storage", str(storage)]
        answer = subprocess.run(
            command, stdout=writing, stderr=subprocess.PIPE, text=True, env=clean_environment()
        )
    finally:
        os.close(writing)
    assert (answer.returncode, answer.stderr) == (1, "")


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("search", "galaxytune: stopped; if its study was made, `galaxytune resume` goes on\n"),
        ("train", "galaxytune: stopped; the same command goes on\n"),
        ("predict", "galaxytune: stopped\n"),
    ],
)
def test_ctrl_c_tells_how_the_command_goes_on(
    command: str, told: str, monkeypatch: pytest.MonkeyPatch, capfd: Captured
) -> None:
    monkeypatch.setattr(sys, "argv", ["galaxytune", "--debug", command])
    assert app._exit_code(KeyboardInterrupt()) == 130
    assert capfd.readouterr().err == told


@pytest.mark.parametrize("arguments", [["report", "s", ""], ["status", "s", "--storage="]])
def test_an_empty_argument_is_told_as_a_variable_that_is_not_set(
    arguments: list[str], cli: Cli, capfd: Captured
) -> None:
    assert cli(*arguments) == 2
    assert "is empty; a variable on the command line may not be set" in capfd.readouterr().err


def test_a_name_that_is_too_long_for_the_disk_is_a_mistake(cli: Cli, capfd: Captured) -> None:
    assert cli("data", "check", "x" * 300) == 2
    assert len(capfd.readouterr().err.splitlines()) == 1
