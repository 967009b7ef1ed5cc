"""Measurement of a few training steps of one config, run as a process of its own.

The process reads one JSON request on standard input and prints one JSON document on one line:
what was measured, or {"failure": reason}.
"""

import ctypes
import json
import resource
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from search_spaces.declaration import InvalidInput, config_from_values
from trainables.device import memory_share, training_device
from trainables.files import one_line
from trainables.galaxies import DEFAULT_CROP, Galaxies, Split, open_galaxies, split_galaxies
from trainables.simulation import simulate_galaxies
from trainables.training import TrainingRun, predict

_SIMULATED = 32  # galaxies, which are repeated to fill a batch
_LARGEST_SIMULATED = 4096  # galaxies of a batch
_VALIDATED = 128  # galaxies at most
_STEPS = {"cpu": 2, "cuda": 10}  # training steps of a measured epoch, by type of device
_WARM_SECONDS = 5.0  # warming up hardly matters if the first epoch takes longer
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of prctl


def _galaxies(data: str | None) -> Galaxies:
    """Return the galaxies in the file at the path `data`; None for 32 simulated galaxies.

    The file is opened by `open_galaxies`, which may unpack images into the cache. The errors are
    those of `open_galaxies`: InvalidInput, for example if the file is missing or damaged, and
    PermissionError if the file's folder may not be entered.
    """
    if data is not None:
        return open_galaxies(Path(data))
    toys = simulate_galaxies(_SIMULATED)
    return Galaxies(
        images=toys.images,
        target=toys.target,
        ids=toys.ids,
        unbiased=None,
        num_votes=toys.num_votes,
        crop=DEFAULT_CROP,
        identity="simulated for the doctor",
    )


def _largest_batch(galaxies: Galaxies, request: Mapping[str, Any]) -> int:
    """Return how many galaxies a batch of the search can hold at most: its training galaxies.

    request: see `measure`. A file that cannot be split counts whole. Simulated galaxies stand for
    a file of unknown length, of which a batch has at most 4,096.
    """
    if request["data"] is None:
        return _LARGEST_SIMULATED
    try:
        split = split_galaxies(galaxies, request["split"], request["num_galaxies"])
    except InvalidInput:
        return len(galaxies)
    return len(split.training)


def _bytes(values: Any) -> int:
    """Return the bytes of all tensors in nested mappings, lists and tuples; 0 for none."""
    if isinstance(values, Tensor):
        return values.numel() * values.element_size()
    if isinstance(values, Mapping):
        return sum(map(_bytes, values.values()))
    return sum(map(_bytes, values)) if isinstance(values, (list, tuple)) else 0


def _seconds(run: TrainingRun, validated: NDArray[np.int64]) -> tuple[float, float]:
    """Train one or two epochs; return the seconds of a training step, and of validating a galaxy.

    run: a run that was not trained before. validated: row numbers of the run's validation
    galaxies. A second epoch is trained and timed if the first epoch takes less than 5 s.
    """
    report = run.run_epoch()
    if report.seconds < _WARM_SECONDS:
        report = run.run_epoch()
    started = time.perf_counter()
    predict(run.network, run.galaxies.images, run.device, validated)
    validating = time.perf_counter() - started
    training = max(report.seconds - validating, 0.05 * report.seconds)
    return training / run.steps_per_epoch, validating / len(validated)


def measure(request: Mapping[str, Any]) -> dict[str, Any]:
    """Train a config for a few steps, and return the measured times and sizes by name.

    request: config (values by field name), data (path of a galaxy file, None for simulated
    galaxies), split and num_galaxies of the search, num_threads, num_cpus and uses_gpu, as
    `probe_request` makes them. `num_threads` is set for the whole process. A batch holds at most
    the training galaxies of the search. The names in the result are the fields of
    `galaxytune.doctor.training_checks.Measured`, which describes them.

    The features of a frozen backbone are not cached, so that no features are written. A study that
    can use the cache is faster than measured here. InvalidInput is raised if the config, its
    pretrained weights or the file is wrong, OutOfMemory if memory does not hold one galaxy.
    """
    torch.set_num_threads(request["num_threads"])
    config = config_from_values(request["config"])
    if hasattr(config, "cache_frozen_features"):
        config = config.model_copy(update={"cache_frozen_features": False})
    device = training_device(request["uses_gpu"])
    galaxies = _galaxies(request["data"])
    largest = _largest_batch(galaxies, request)
    steps = _STEPS[device.type] if config.batch_size < largest else 1
    config = config.model_copy(update={"batch_size": min(config.batch_size, largest)})
    rows = np.arange(min(len(galaxies), config.batch_size), dtype=np.int64)
    trained = np.resize(rows, config.batch_size * steps)
    split = Split(trained, rows[:_VALIDATED], rows[:0])
    share = memory_share(request.get("num_cpus"))
    run = TrainingRun(config, galaxies, split, device, memory_share=share)
    seconds_per_step, seconds_per_validated = _seconds(run, split.validation)
    is_gpu = device.type == "cuda"
    return {
        "device": device.type,
        "batch_size": config.batch_size,
        "micro_batch": run.micro_batch,
        "seconds_per_step": seconds_per_step,
        "seconds_per_validated": seconds_per_validated,
        "host_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "gpu_bytes": torch.cuda.max_memory_allocated() if is_gpu else 0,
        "gpu_total_bytes": torch.cuda.get_device_properties(0).total_memory if is_gpu else 0,
        "weight_bytes": _bytes(run.best_weights),
        "frozen_bytes": _bytes(run.frozen_weights()),
        "state_bytes": _bytes(run.state()),
    }


def main() -> None:
    """Read the request on standard input, and print the answer as one line of JSON.

    A RuntimeError, MemoryError or ValueError of the measurement is printed as
    {"failure": its text}. Any other error ends the process with a traceback. If memory runs out,
    Linux kills this process before others. The process is killed when its parent ends.
    """
    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    Path("/proc/self/oom_score_adj").write_text("1000")
    try:
        answer = measure(json.load(sys.stdin))
    except (RuntimeError, MemoryError, ValueError) as error:  # RuntimeError: out of GPU memory
        answer = {"failure": f"{one_line(error)[:300]}"}
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
