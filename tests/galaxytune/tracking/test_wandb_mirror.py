"""W&B that refuses or never answers costs a search nothing; its runs are whole all the same."""

import os
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from galaxytune.driver.run import run_study
from tests.support import misbehaving
from tests.support.processes import wait_for
from tests.support.studies import BeginStudy, assert_mirrored, assert_whole

pytestmark = [pytest.mark.ray, pytest.mark.soak, pytest.mark.usefixtures("small_ray")]


@pytest.fixture
def silent_server() -> Iterator[str]:
    """A server on loopback that accepts and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def refusing_server() -> str:
    """An address on loopback where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize("server", ["silent_server", "refusing_server"])
def test_w_and_b_out_of_reach_leaves_whole_offline_runs(
    server: str,
    begin_study: BeginStudy,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("WANDB_BASE_URL", request.getfixturevalue(server))
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    monkeypatch.setenv("WANDB_INIT_TIMEOUT", "2")
    folder = begin_study(wandb="online", trials=5)
    run_study(folder, trainable=misbehaving.behave)
    assert_whole(folder)
    assert_mirrored(folder)
    assert "runs are written offline, `wandb sync` sends them" in caplog.text


def wandb_processes(study: Path) -> Iterator[int]:
    """The processes that write a study's W&B runs, by Linux's /proc."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            title = (folder / "cmdline").read_text()
        except OSError:
            continue  # it has just ended
        if "galaxytune.tracking.wandb_process" in title and str(study) in title:
            yield int(folder.name)


def test_a_w_and_b_process_that_dies_is_replaced(begin_study: BeginStudy) -> None:
    folder = begin_study(wandb="offline", trials=5)

    def kill() -> None:
        wait_for(lambda: len(folder.records()) >= 2, 60)
        os.kill(next(wandb_processes(folder.path)), signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    run_study(folder, trainable=misbehaving.takes_its_time)
    killer.join()
    assert_whole(folder)
    assert_mirrored(folder)
    assert list(wandb_processes(folder.path)) == []
