"""Processes that tests start, find, wait for and kill."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from galaxytune.study.folder import StudyFolder

GALAXYTUNE = str(Path(sys.executable).with_name("galaxytune"))
"""The installed command."""


def clean_environment() -> dict[str, str]:
    """Return the environment without what Ray and W&B have put into this process's own."""
    ours = {k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "WANDB_"))}
    return ours | {"WANDB_MODE": "offline"}


def wait_for(condition: Callable[[], object], seconds: float) -> None:
    """Return once a condition holds; fail the test if it does not hold within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def training_processes() -> Iterator[int]:
    """Yield the processes below this one in which Ray runs a trial, by Linux's /proc."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            title = (folder / "cmdline").read_text()
        except OSError:
            continue  # it has just ended
        parents[int(folder.name)] = (int(fields[1]), title)
    for process, (parent, title) in parents.items():
        while parent in parents and parent != os.getpid():
            parent = parents[parent][0]
        if parent == os.getpid() and title.startswith("ray::ImplicitFunc"):
            yield process


def kill_a_worker_when(condition: Callable[[], object]) -> threading.Thread:
    """Start a thread that kills one training process of this one's Ray once a condition holds."""

    def watch() -> None:
        wait_for(condition, 60)
        os.kill(next(training_processes()), signal.SIGKILL)

    thread = threading.Thread(target=watch)
    thread.start()
    return thread


def resume_command(folder: StudyFolder, *, cpus: int) -> list[str]:
    """Return the command that goes on with a study on a Ray of its own."""
    storage = str(folder.path.parent)
    return [GALAXYTUNE, "resume", folder.name, "--storage", storage, "--local-cpus", str(cpus)]


def kill_a_driver_when(condition: Callable[[], object], folder: StudyFolder, *, cpus: int) -> None:
    """Run a study in a process of its own, and kill the process once a condition holds.

    Return once the study is seen to be interrupted.
    """
    command, storage = resume_command(folder, cpus=cpus), folder.path.parent
    with subprocess.Popen(
        command, stderr=subprocess.DEVNULL, cwd=storage, env=clean_environment()
    ) as driver:
        wait_for(condition, 90)
        os.kill(driver.pid, signal.SIGKILL)
    wait_for(lambda: folder.state() == "interrupted", 10)
