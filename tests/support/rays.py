"""The Ray of the test process: one at a time, kept while the next module wants the same kind."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial

from galaxytune.cluster.connection import ClusterAddress, ray_connection


@contextmanager
def _ray_of_the_caller(num_cpus: int, num_gpus: int = 0) -> Iterator[None]:
    """Start a local Ray as a notebook may do before it calls galaxytune."""
    import ray

    ray.init(
        address="local",
        num_cpus=num_cpus,
        num_gpus=num_gpus,
        include_dashboard=False,
        log_to_driver=False,
    )
    try:
        yield
    finally:
        ray.shutdown()


_KINDS: dict[str, Callable[[], AbstractContextManager[None]]] = {
    "single": partial(_ray_of_the_caller, 1),
    "small": lambda: ray_connection(ClusterAddress(local_cpus=2)),
    "two_gpu": partial(_ray_of_the_caller, 4, 2),
}


class Rays:
    """Starts and ends Rays, so that modules one after another share a Ray of the same kind."""

    def __init__(self) -> None:
        """Start no Ray yet."""
        self._kind: str | None = None
        self._running = ExitStack()

    def use(self, kind: str) -> None:
        """Let a Ray of this kind run: the one that runs already, or a new one in its place."""
        if kind != self._kind:
            self.end()
            self._running.enter_context(_KINDS[kind]())
            self._kind = kind

    def end(self) -> None:
        """End the Ray that runs, if there is one."""
        self._kind = None
        self._running.close()
