"""The connection to Ray: a running cluster's, or a local Ray of this command's own."""

import logging
import os
import socket
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from trainables.galaxies.damage import one_line

# A reused actor waits this long for the last trial's clean-up; Tune's own 2 s lose trials.
ENVIRONMENT = {
    "TUNE_FUNCTION_THREAD_TIMEOUT_S": "120",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # galaxytune's own lets epochs end first
    # Tune's snapshots of all trials grow with their number, and nobody reads them
    "TUNE_GLOBAL_CHECKPOINT_S": "inf",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "MALLOC_ARENA_MAX": "1",  # trials run in threads, whose own arenas would keep no large tensor
}

# What Tune asks of its actors' processes. Asked of all of them, an actor gets one that has begun
# already, and saves a start of Python and an import of Ray.
_AS_TUNE = {"PL_DISABLE_FORK": "1"}

_ANSWER_SECONDS = 5.0  # Ray itself tries an address at which nobody listens for 15 minutes


@dataclass(frozen=True)
class ClusterAddress:
    """Where to run: a running cluster's address, or a local Ray with so many CPUs and GPUs."""

    address: str | None = None
    local_cpus: int | None = None  # None: as many as there are
    local_gpus: int | None = None


_ahead: dict[ClusterAddress, Future[None]] = {}  # local ones on their way


def check_address(where: ClusterAddress) -> None:
    """ValueError if nothing listens at HOST:PORT; other forms of address are Ray's to judge."""
    host, colon, port = (where.address or "").removeprefix("ray://").rpartition(":")
    if not colon or not port.isdecimal():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), _ANSWER_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise ValueError(f"no Ray cluster at {where.address!r}: {one_line(error)}") from None


@contextmanager
def ray_connection(where: ClusterAddress) -> Iterator[None]:
    """A connection to Ray; one that the caller has made is used and left open."""
    os.environ.update(ENVIRONMENT)
    import ray  # noqa: TID251

    if where in _ahead:
        _ahead.pop(where).result()
    elif ray.is_initialized():
        yield
        return
    elif where.address is not None:
        _connect(where)
    else:
        _start_local(where)
    try:
        yield
    finally:
        ray.shutdown()


@contextmanager
def local_ray_ahead(where: ClusterAddress, is_likely: bool = True) -> Iterator[None]:
    """Let a local Ray start beside what is done inside, for a `ray_connection` that follows there.

    It takes seconds, most of them spent waiting for Ray's processes; imports take as many. Ended
    at the end if nobody asked for it, which takes a second: so only where it `is_likely` to be
    asked for. Nothing is done for the address of a running cluster.
    """
    if where.address is not None or not is_likely:
        yield
        return
    os.environ.update(ENVIRONMENT)
    import ray  # noqa: TID251  here, in the main thread: it sets a handler of signals

    if ray.is_initialized():
        yield
        return
    with ThreadPoolExecutor(1, thread_name_prefix="local-ray") as thread:
        started = _ahead[where] = thread.submit(_start_local, where)
        try:
            yield
        finally:
            if _ahead.pop(where, None) is not None and started.exception() is None:
                ray.shutdown()


def _connect(where: ClusterAddress) -> None:
    import ray  # noqa: TID251

    check_address(where)
    try:
        ray.init(
            address=where.address,
            log_to_driver=False,
            logging_level=logging.ERROR,
            runtime_env={"env_vars": ENVIRONMENT},
        )
    except ConnectionError as error:
        raise ValueError(f"no Ray cluster at {where.address!r}: {error}") from None


def _start_local(where: ClusterAddress) -> None:
    import ray  # noqa: TID251

    ray.init(
        address="local",
        num_cpus=where.local_cpus,
        num_gpus=where.local_gpus,
        runtime_env={"env_vars": _AS_TUNE},
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
    )


def trials_at_once(cpus_per_trial: float, gpus_per_trial: float) -> int:
    """How many trials the connected cluster can hold; ValueError if not even one."""
    import ray  # noqa: TID251

    total, largest = 0, (0.0, 0.0)
    for node in (n for n in ray.nodes() if n["Alive"]):
        cpus, gpus = node["Resources"].get("CPU", 0.0), node["Resources"].get("GPU", 0.0)
        largest = max(largest, (cpus, gpus))
        by_cpu = int(cpus / cpus_per_trial + 1e-9)
        if gpus_per_trial == 0:
            total += by_cpu
        elif gpus_per_trial <= 1:  # a trial's share lies on one GPU
            total += min(by_cpu, int(gpus) * int(1 / gpus_per_trial + 1e-9))
        else:
            total += min(by_cpu, int(gpus / gpus_per_trial))
    if total == 0:
        raise ValueError(
            f"no node can hold a trial of {cpus_per_trial:g} CPUs and {gpus_per_trial:g} GPUs; "
            f"the largest has {largest[0]:g} CPUs and {largest[1]:g} GPUs"
        )
    return total
