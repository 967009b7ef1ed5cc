"""Several configs on one device: in turn, stacked as one, and in processes that share the device.

The processes of each kind are started once and serve all networks. On a GPU there are two kinds:
processes that the GPU's driver switches between, and processes that share the GPU by NVIDIA's
Multi-Process Service (MPS), if MPS starts without a change of the GPU's settings.
"""

import gc
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import torch

from benchmarks.gpu_parts.setting import Row, Rows, Setting, or_failure
from search_spaces.declaration import TrainingProtocol, config_from_values
from trainables.galaxies import open_galaxies
from trainables.packs.packing_speed import like, measured_split, seconds_per_step
from trainables.training import TrainingRun

# The three small networks at widths for which one config leaves most of a large GPU idle, and the
# published width of the one that is small as it is.
NETWORKS: Mapping[str, dict[str, Any]] = {
    "simple_cnn": {},
    "vision_transformer": {"depth": 4},
    "parallel_cnn": {"width": 0.25},
}
SIZES = (2, 4, 8, 16)
BATCH = 64
STEPS = 30
TINY: Mapping[str, dict[str, Any]] = {"simple_cnn": {"width": 0.1}}


def measure(setting: Setting) -> Rows:
    """Yield the galaxies a second of K configs together, by network, K and way."""
    alone: dict[str, float] = {}
    for name in _networks(setting):
        for size in (1, *_sizes(setting)):
            way = "in turn" if size == 1 else "stacked"
            measured = _stacked(name, size, way, alone, setting)
            yield from or_failure(measured, network=name, configs=size, way=way)
    with _pool(max(_sizes(setting)), setting, {}) as processes:
        yield from _in_processes("processes", processes, alone, setting)
    if setting.is_gpu:
        with _mps(setting.folder) as found:
            if isinstance(found, str):
                yield {"way": "processes with MPS", "failure": found}
                return
            with _pool(max(SIZES), setting, found) as processes:
                yield from _in_processes("processes with MPS", processes, alone, setting)


def _networks(setting: Setting) -> Mapping[str, dict[str, Any]]:
    return TINY if setting.is_tiny else NETWORKS


def _sizes(setting: Setting) -> tuple[int, ...]:
    return (2,) if setting.is_tiny else SIZES


def _steps(setting: Setting) -> int:
    return 1 if setting.is_tiny else STEPS


def _config(name: str, setting: Setting) -> TrainingProtocol:
    values = {"architecture": name, "batch_size": 8 if setting.is_tiny else BATCH}
    return config_from_values(values | _networks(setting)[name])


def _row(name: str, size: int, way: str, rate: float, alone: Mapping[str, float]) -> Row:
    row: Row = {"network": name, "configs": size, "way": way, "galaxies_a_second": rate}
    return row | ({"times_in_turn": rate / alone[name]} if name in alone else {})


def _stacked(name: str, size: int, way: str, alone: dict[str, float], setting: Setting) -> Rows:
    """Yield the galaxies a second of a pack of configs; note those of a config alone."""
    config = _config(name, setting)
    configs, galaxies = like(config, size), open_galaxies(setting.data)
    try:
        seconds = seconds_per_step(configs, galaxies, setting.device, steps=_steps(setting))
    finally:
        _free()
    if seconds is None:
        raise MemoryError("memory does not hold all configs in one stack")
    rate = size * config.batch_size / seconds
    if size == 1:
        alone[name] = rate
    yield _row(name, size, way, rate, alone)


def _free() -> None:
    """Give the memory of runs that are gone back to the device."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _in_processes(
    way: str,
    processes: Sequence["_Process"],
    alone: Mapping[str, float],
    setting: Setting,
) -> Rows:
    """Yield the rates of the configs in as many of the processes."""
    for name in _networks(setting):
        config = _config(name, setting)
        task: Row = {"config": config.model_dump(), "data": str(setting.data)}
        task |= {"device": setting.device.type, "steps": _steps(setting)}
        for process in processes:
            process.tell(json.dumps(task))
        ready = [process.answer() for process in processes]
        if not all(answer == "ready" for answer in ready):
            failure = str(ready)[:300]
            yield {"network": name, "configs": len(processes), "way": way, "failure": failure}
            continue
        for size in _sizes(setting):
            chosen = processes[:size]
            for process in chosen:
                process.tell("go")
            times = [process.answer() for process in chosen]
            seconds = max(end for _, end in times) - min(start for start, _ in times)
            rate = size * config.batch_size * _steps(setting) / seconds
            yield _row(name, size, way, rate, alone)


class _Process:
    """A process of this module that trains a config whenever asked."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "benchmarks.gpu_parts.packing"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )

    def tell(self, line: str) -> None:
        """Write one line to the process; a process that has ended is noticed by its answer."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{line}\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass

    def answer(self) -> Any:
        """Return the next answer, read from JSON, or `ended` if the process has ended."""
        stdout: IO[str] | None = self._process.stdout
        assert stdout is not None
        line = stdout.readline()
        return json.loads(line) if line else "ended"

    def end(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()


@contextmanager
def _pool(
    size: int, setting: Setting, environment: Mapping[str, str]
) -> Iterator[Sequence[_Process]]:
    """Yield so many processes, and end them after the block."""
    threads = str(max(1, (os.cpu_count() or 1) // size))
    processes = [_Process({**environment, "OMP_NUM_THREADS": threads}) for _ in range(size)]
    try:
        yield processes
    finally:
        for process in processes:
            process.end()


@contextmanager
def _mps(folder: Path) -> Iterator[dict[str, str] | str]:
    """Start MPS for programs that get the yielded environment; yield a reason if it is absent.

    MPS runs in the GPU's present compute mode, and listens in a folder of its own, so that MPS
    serves no other program.
    """
    control = shutil.which("nvidia-cuda-mps-control")
    if control is None:
        yield "nvidia-cuda-mps-control is not installed"
        return
    environment = {f"CUDA_MPS_{kind}_DIRECTORY": str(folder / kind) for kind in ("PIPE", "LOG")}
    for path in environment.values():
        Path(path).mkdir()
    whole = {**os.environ, **environment}
    begun = subprocess.run([control, "-d"], env=whole, capture_output=True, text=True, timeout=20)
    if begun.returncode:
        yield f"MPS does not start: {(begun.stderr or begun.stdout).strip()[:200]}"
        return
    try:
        yield environment
    finally:
        subprocess.run([control], env=whole, input="quit\n", text=True, timeout=20)


def _serve() -> None:
    """Answer `ready` to a task once its run is warm, and to `go` with the clock's two readings."""
    run: TrainingRun | None = None
    for line in sys.stdin:
        try:
            if line.startswith("{"):
                run = None  # free the memory of the task before
                _free()
                run = _warm_run(json.loads(line))
                answer: Any = "ready"
            else:
                answer = _epoch(run)
        except Exception as error:
            answer = f"{type(error).__name__}: {str(error)[:200]}"
        print(json.dumps(answer), flush=True)


def _warm_run(task: Mapping[str, Any]) -> TrainingRun:
    """Return a run of a task's config after its first epoch."""
    config = config_from_values(task["config"])
    galaxies, device = open_galaxies(Path(task["data"])), torch.device(task["device"])
    split = measured_split(len(galaxies), config.batch_size, task["steps"])
    run = TrainingRun(like(config, 1)[0], galaxies, split, device)
    run.run_epoch()
    return run


def _epoch(run: TrainingRun | None) -> list[float]:
    """Train an epoch; return the readings before and after, of one clock for all processes."""
    assert run is not None
    started = time.monotonic()
    run.run_epoch()
    return [started, time.monotonic()]


if __name__ == "__main__":
    _serve()
