"""What the doctor finds on the driver alone: versions, and W&B."""

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from galaxytune.cluster import node_tasks
from galaxytune.doctor.driver_checks import package_check, package_names, unsupported, wandb_check


def test_versions_are_held_against_our_own_metadata() -> None:
    assert package_check().status == "ok"
    own = node_tasks.versions(package_names())
    assert unsupported({**own, "python": "3.9.1", "ray": "2.59.0"}) == [
        "python 3.9.1 is not <3.14,>=3.11",
        "ray 2.59.0 is not <2.61,>=2.60",
    ]


class QuietHandler(http.server.BaseHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def wandb_server() -> Iterator[str]:
    """A server that answers 404 to everything, as good as any."""
    server = http.server.HTTPServer(("127.0.0.1", 0), QuietHandler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_online_wandb_wants_a_key_and_a_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))  # no ~/.netrc
    assert wandb_check("offline", tmp_path).status == "ok"
    assert wandb_check("disabled", tmp_path).status == "skipped"
    with wandb_server() as address:
        monkeypatch.setenv("WANDB_BASE_URL", address)
        assert "no API key" in wandb_check("online", tmp_path).found
        monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
        assert wandb_check("online", tmp_path).status == "ok"
    check = wandb_check("online", tmp_path)
    assert check.status == "failed" and "does not answer" in check.found
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:1/a b")
    check = wandb_check("online", tmp_path)
    assert check.status == "failed" and "does not answer" in check.found
