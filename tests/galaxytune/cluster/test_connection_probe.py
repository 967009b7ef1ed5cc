"""A cluster that does not answer as it should is told in one line, and this process lives on."""

import socket
import threading
from collections.abc import Iterator

import pytest

from galaxytune.cluster.connection import ClusterAddress, check_address, ray_connection
from galaxytune.cluster.connection_probe import check_connection
from search_spaces.declaration.errors import InvalidInput

pytestmark = pytest.mark.slow


@pytest.fixture
def no_cluster() -> Iterator[str]:
    """The address of a server that is no Ray: it closes every connection at once."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def refuse() -> None:
            while True:
                try:
                    server.accept()[0].close()
                except OSError:
                    return

        threading.Thread(target=refuse, daemon=True).start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)


@pytest.mark.ray
def test_a_server_that_is_no_ray_is_told_in_one_line(no_cluster: str) -> None:
    with pytest.raises(InvalidInput, match=f"^no Ray cluster at '{no_cluster}': ") as error:
        with ray_connection(ClusterAddress(no_cluster)):
            raise AssertionError("connected")
    assert "\n" not in str(error.value)


def test_a_refused_address_names_the_error_of_ray() -> None:
    with pytest.raises(InvalidInput, match="^no Ray cluster at 'nowhere': Invalid address"):
        check_connection("nowhere")


def test_the_variable_that_names_a_dead_cluster_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for dead in ("127.0.0.1:1", "ray://127.0.0.1:1"):
        monkeypatch.setenv("RAY_ADDRESS", dead)
        with pytest.raises(InvalidInput, match=f"'auto', which is '{dead}' by RAY_ADDRESS: "):
            check_address(ClusterAddress("auto"))
        check_address(ClusterAddress())  # a local Ray does not read the variable
