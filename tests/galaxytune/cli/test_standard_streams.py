"""Standard streams that the caller has closed, or closes while the command runs."""

import subprocess
from pathlib import Path

import pytest

from tests.support.processes import GALAXYTUNE, clean_environment

pytestmark = pytest.mark.slow


def run_in_shell(command: str) -> "subprocess.CompletedProcess[str]":
    """Run a command of bash in which $GT is the command line."""
    environment = clean_environment() | {"GT": str(GALAXYTUNE)}
    return subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, env=environment, timeout=100
    )


@pytest.mark.parametrize("arguments", ["--version", "--help", "architectures simple_cnn --json"])
def test_a_closed_output_is_no_fault(arguments: str) -> None:
    answer = run_in_shell(f"$GT {arguments} >&-")
    told = "galaxytune: failed: standard output is closed, so nothing could be printed\n"
    assert (answer.returncode, answer.stderr) == (1, told)


def test_a_reader_that_closes_the_output_is_not_spoken_of() -> None:
    answer = run_in_shell("$GT architectures --json | true; echo ${PIPESTATUS[0]}")
    assert answer.stderr == "" and answer.stdout.strip() in ("0", "1")


@pytest.mark.parametrize("arguments", ["--version", "--help", "architectures simple_cnn --json"])
def test_a_full_output_is_told_in_one_line(arguments: str) -> None:
    answer = run_in_shell(f"$GT {arguments} >/dev/full")
    told = "galaxytune: failed: standard output cannot be written (No space left on device)\n"
    assert (answer.returncode, answer.stderr) == (1, told)


def test_an_output_that_is_open_for_reading_alone_is_told_in_one_line() -> None:
    answer = run_in_shell("$GT --version 1</dev/null")
    told = "galaxytune: failed: standard output cannot be written (Bad file descriptor)\n"
    assert (answer.returncode, answer.stderr) == (1, told)


@pytest.mark.parametrize("streams", ["2>&-", "2>/dev/full", "<&- >&- 2>&-"])
def test_work_is_done_although_nobody_reads_its_notes(streams: str, tmp_path: Path) -> None:
    answer = run_in_shell(f"$GT data simulate {tmp_path}/g.npz --num-galaxies 10 {streams}")
    assert answer.returncode == 0 and (tmp_path / "g.npz").stat().st_size > 1000


def test_a_reader_that_closes_the_notes_does_not_stop_the_work(tmp_path: Path) -> None:
    train = f"$GT train simple_cnn {tmp_path}/m --data {tmp_path}/g.npz --epochs 2"
    answer = run_in_shell(
        f"$GT data simulate {tmp_path}/g.npz --num-galaxies 60; "
        f"{train} --set width=0.1 2>&1 >/dev/null | true; echo ${{PIPESTATUS[0]}}"
    )
    assert answer.stdout.strip() == "0" and (tmp_path / "m" / "config.yaml").exists()
