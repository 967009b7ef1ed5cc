"""The connection to Ray: a running cluster, or a local Ray that this process starts."""

import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from galaxytune.cluster.connection_probe import check_connection
from galaxytune.cluster.python_process import absolute_python_path, own_folders
from galaxytune.cluster.temporary_folder import remove, temporary_folder
from search_spaces.declaration import InvalidInput
from trainables.files import one_line

# Environment variables for Ray and its workers. An actor that is used again waits 120 s for the
# clean-up of its last trial; with the 2 s that Tune waits by default, trials were lost.
ENVIRONMENT = {
    "TUNE_FUNCTION_THREAD_TIMEOUT_S": "120",
    "RAY_AIR_NEW_OUTPUT": "0",  # the new output prints at any verbosity
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # galaxytune's own handler lets epochs end first
    # Tune's snapshots of all trials grow with their number, and nothing reads them
    "TUNE_GLOBAL_CHECKPOINT_S": "inf",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "MALLOC_ARENA_MAX": "1",  # trials run in threads; only the main arena keeps large tensors
}

# `ray.init` sets these variables in the driver's own process.
_AUTH_MODE = "RAY_AUTH_MODE"
_SET_BY_RAY = (_AUTH_MODE, "PYTHONBREAKPOINT")
_PATH = "PYTHONPATH"
_OWN_FOLDERS = tuple(own_folders())

# Tune sets this variable for the processes of its actors. If a local Ray sets it for all
# processes, an actor gets a process that runs already, which saves a start of Python and an
# import of Ray.
_AS_TUNE = {"PL_DISABLE_FORK": "1"}

_ANSWER_SECONDS = 5.0  # Ray itself tries an address without a listener for 15 minutes


@dataclass(frozen=True)
class ClusterAddress:
    """An address of a running Ray cluster, or the size of a local Ray.

    address: the cluster's address, such as `auto` or HOST:PORT; None for a local Ray.
    local_cpus, local_gpus: CPUs, at least 1, and GPUs, at least 0, of a local Ray; None for all
        that the machine has.
    """

    address: str | None = None
    local_cpus: int | None = None
    local_gpus: int | None = None

    def __post_init__(self) -> None:
        """Raise InvalidInput if a value has a wrong type, or a number is below 1 CPU or 0 GPUs."""
        if not (self.address is None or isinstance(self.address, str)):
            raise InvalidInput(f"address must be a text such as HOST:PORT, got {self.address!r}")
        for name, least in (("local_cpus", 1), ("local_gpus", 0)):
            value = getattr(self, name)
            if value is not None and (type(value) is not int or value < least):
                raise InvalidInput(f"{name} must be a whole number from {least}, got {value!r}")


_ahead: dict[ClusterAddress, Future[None]] = {}  # local Rays that are starting
_folders: list[Path] = []  # private temporary folders of the local Ray that runs


def check_address(where: ClusterAddress) -> None:
    """Raise InvalidInput if nothing listens at an address of the form HOST:PORT.

    where: the cluster's address; `ray://` before HOST:PORT is allowed. For `auto` the variable
    RAY_ADDRESS is checked if it is set. An address of another form and a local Ray are not
    checked. The check waits at most 5 s for each network address of the host.
    """
    address = where.address or ""
    named = os.environ.get("RAY_ADDRESS", "") if address == "auto" else ""
    host, colon, port = (named or address).removeprefix("ray://").rpartition(":")
    if not colon or not port.isdecimal():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), _ANSWER_SECONDS).close()
    except (OSError, OverflowError) as error:
        told = f"{address!r}, which is {named!r} by RAY_ADDRESS" if named else repr(address)
        raise InvalidInput(f"no Ray cluster at {told}: {one_line(error)}") from None


@contextmanager
def _environment() -> Iterator[None]:
    """Set the variables of ENVIRONMENT in this process's environment while the block runs.

    PYTHONPATH loses its relative entries, because Ray's processes inherit the variable. At the end
    the earlier values are restored, also of the two variables that Ray itself sets, and Ray's own
    copy of the authentication mode. With a wrong copy, this process could not use a cluster that
    it connects to later.
    """
    before = {name: os.environ.get(name) for name in (*ENVIRONMENT, *_SET_BY_RAY, _PATH)}
    os.environ.update(ENVIRONMENT)
    path = absolute_python_path()
    if path or before[_PATH] is not None:
        os.environ[_PATH] = path
    try:
        yield
    finally:
        has_new_mode = os.environ.get(_AUTH_MODE) != before[_AUTH_MODE]
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        if has_new_mode:
            from ray import _raylet  # noqa: TID251

            raylet: Any = _raylet  # a compiled module, whose stub lacks the two names below
            raylet.Config.initialize("")  # Ray reads the mode from the environment again
            raylet.AuthenticationTokenLoader.instance().reset_cache()


def load_ray() -> None:
    """Import Ray, without Ray's advice to install ipywidgets in a notebook that lacks them."""
    advice = logging.getLogger("ray.widgets.util")
    before = advice.level
    advice.setLevel(logging.WARNING)
    try:
        import ray  # noqa: TID251, F401
    finally:
        advice.setLevel(before)


@contextmanager
def _sigterm_kept() -> Iterator[None]:
    """Restore the handler of SIGTERM, which `ray.init` replaces, once the block has ended.

    Outside the main thread nothing is restored, because `ray.init` replaces no handler there.
    """
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if before is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


@contextmanager
def ray_connection(where: ClusterAddress) -> Iterator[None]:
    """Connect this process to Ray while the block runs.

    where: the address of a running cluster. Without an address a local Ray of the given size is
    started, or the local Ray that `local_ray_ahead` starts is taken; the local Ray ends with the
    block. If this process is connected to Ray already, that connection is used whatever `where`
    is, and is left open.

    InvalidInput is raised if no cluster answers at the address. While the block runs, the
    variables of ENVIRONMENT are set in this process's environment. At the end the environment and
    the handler of SIGTERM are restored.
    """
    with _environment(), _sigterm_kept():
        load_ray()
        with _connected(where):
            yield


@contextmanager
def _connected(where: ClusterAddress) -> Iterator[None]:
    """Connect to Ray while the block runs; see `ray_connection` for the argument."""
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
        _end()


@contextmanager
def local_ray_ahead(where: ClusterAddress, is_likely: bool = True) -> Iterator[None]:
    """Start a local Ray in a thread, so that `ray_connection(where)` in the block waits less.

    where: the size of the local Ray. is_likely: whether the block is likely to connect to Ray.
    Nothing is done if `is_likely` is False, if `where` has an address, or if this process is
    connected to Ray already.

    A start takes seconds, most of them spent waiting for Ray's processes, and the imports of the
    block take as long. `ray_connection` raises the error of a start that failed, and ends the
    local Ray. A local Ray that the block has not used is ended after the block, which takes a
    second; the error of its start is not raised.
    """
    if where.address is not None or not is_likely:
        yield
        return
    with _environment():
        load_ray()  # in the main thread, because Ray sets a signal handler
        import ray  # noqa: TID251

        if ray.is_initialized():
            yield
            return
        with ThreadPoolExecutor(1, thread_name_prefix="local-ray") as thread:
            started = _ahead[where] = thread.submit(_start_local, where)
            try:
                yield
            finally:
                if _ahead.pop(where, None) is not None and started.exception() is None:
                    _end()


def _job_config() -> Any:
    """Return the JobConfig of a job whose workers do not import from this process's folder.

    By default Ray puts the current folder of this process first on the path of its workers. Ray
    leaves that out for jobs of a Ray client, and takes the folders that are named here.
    """
    from ray.job_config import JobConfig  # noqa: TID251

    return JobConfig(_client_job=True, _py_driver_sys_path=list(_OWN_FOLDERS))


def _connect(where: ClusterAddress) -> None:
    """Connect to the running cluster at `where.address`; InvalidInput if no cluster answers."""
    import ray  # noqa: TID251

    check_address(where)
    check_connection(str(where.address))
    try:
        ray.init(
            address=where.address,
            job_config=_job_config(),
            log_to_driver=False,
            logging_level=logging.ERROR,
            runtime_env={"env_vars": ENVIRONMENT},
        )
    except (ConnectionError, ValueError, RuntimeError) as error:  # it has failed since the check
        raise InvalidInput(f"no Ray cluster at {where.address!r}: {one_line(error)}") from None


def _start_local(where: ClusterAddress) -> None:
    """Start a local Ray with the CPUs and GPUs of `where`, and connect to the local Ray.

    InvalidInput is raised if Ray finds no folder for its temporary files.
    """
    import ray  # noqa: TID251

    folder = temporary_folder()
    try:
        ray.init(
            address="local",
            job_config=_job_config(),
            num_cpus=where.local_cpus,
            num_gpus=where.local_gpus,
            runtime_env={"env_vars": _AS_TUNE},
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            _temp_dir=None if folder is None else str(folder),
        )
    except BaseException:
        remove(folder)
        raise
    if folder is not None:
        _folders.append(folder)


def _end() -> None:
    """End this process's connection to Ray, and a local Ray with its private temporary folder."""
    import ray  # noqa: TID251

    ray.shutdown()
    while _folders:
        remove(_folders.pop())


def trials_at_once(cpus_per_trial: float, gpus_per_trial: float) -> int:
    """Return how many trials the connected cluster can run at once, at least 1.

    cpus_per_trial: CPUs of one trial, above 0. gpus_per_trial: GPUs of one trial, 0 for none. Both
    may be fractions. All CPUs and GPUs of the nodes that are alive count, also those that other
    work uses now. InvalidInput is raised if no node can hold a trial.
    """
    import ray  # noqa: TID251

    total, largest = 0, (0.0, 0.0)
    for node in (n for n in ray.nodes() if n["Alive"]):
        cpus, gpus = node["Resources"].get("CPU", 0.0), node["Resources"].get("GPU", 0.0)
        largest = max(largest, (cpus, gpus))
        by_cpu = int(cpus / cpus_per_trial + 1e-9)
        if gpus_per_trial == 0:
            total += by_cpu
        elif gpus_per_trial <= 1:  # the share of a trial lies on one GPU
            total += min(by_cpu, int(gpus) * int(1 / gpus_per_trial + 1e-9))
        else:
            total += min(by_cpu, int(gpus / gpus_per_trial))
    if total == 0:
        raise InvalidInput(
            f"no node can hold a trial of {cpus_per_trial:g} CPUs and {gpus_per_trial:g} GPUs; "
            f"the largest has {largest[0]:g} CPUs and {largest[1]:g} GPUs"
        )
    return total
