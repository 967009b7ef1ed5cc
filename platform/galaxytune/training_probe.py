"""A few real training steps of one config, measured; run as a process of its own.

Reads one JSON request on standard input and prints one JSON document: what was measured, or
{"failure": reason}.
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

from search_spaces import config_from_values
from trainables.galaxies.damage import one_line
from trainables.galaxies.galaxy_file import DEFAULT_CROP, Galaxies, open_galaxies
from trainables.galaxies.split import Split
from trainables.prediction import predict
from trainables.simulation import simulate_galaxies
from trainables.training import TrainingRun, training_device

_SIMULATED = 32  # galaxies, repeated to fill a batch
_VALIDATED = 128  # galaxies at most
_STEPS = {"cpu": 2, "cuda": 10}
_WARM_SECONDS = 5.0  # who takes longer over the first steps is not slowed by warming up
_DIE_WITH_PARENT = 1  # prctl's PR_SET_PDEATHSIG


def _galaxies(data: str | None) -> Galaxies:
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


def _bytes(values: Any) -> int:
    """Bytes of all tensors in nested mappings and lists."""
    if isinstance(values, Tensor):
        return values.numel() * values.element_size()
    if isinstance(values, Mapping):
        return sum(map(_bytes, values.values()))
    return sum(map(_bytes, values)) if isinstance(values, (list, tuple)) else 0


def _seconds(run: TrainingRun, validated: NDArray[np.int64]) -> tuple[float, float]:
    """Seconds of a training step and of a validated galaxy."""
    report = run.run_epoch()
    if report["seconds"] < _WARM_SECONDS:
        report = run.run_epoch()
    started = time.perf_counter()
    predict(run.network, run.galaxies.images, run.device, validated)
    validating = time.perf_counter() - started
    training = max(report["seconds"] - validating, 0.05 * report["seconds"])
    return training / run.steps_per_epoch, validating / len(validated)


def measure(request: Mapping[str, Any]) -> dict[str, Any]:
    """Train `config` on `data` (a path, or None for simulated galaxies) for a few steps.

    What a frozen backbone makes of the galaxies is not taken from a cache, so that nothing is
    written; a study that can use one is faster than this says.
    """
    torch.set_num_threads(request["num_threads"])
    config = config_from_values(request["config"])
    if hasattr(config, "cache_frozen_features"):
        config = config.model_copy(update={"cache_frozen_features": False})
    device = training_device(request["uses_gpu"])
    galaxies = _galaxies(request["data"])
    rows = np.arange(min(len(galaxies), config.batch_size), dtype=np.int64)
    trained = np.resize(rows, config.batch_size * _STEPS[device.type])
    split = Split(trained, rows[:_VALIDATED], rows[:0])
    run = TrainingRun(config, galaxies, split, device)
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
    """Answer the request on standard input.

    If memory ends, this process is to be the one that is killed; it ends with its parent.
    """
    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    Path("/proc/self/oom_score_adj").write_text("1000")
    try:
        answer = measure(json.load(sys.stdin))
    except (RuntimeError, MemoryError, ValueError) as error:  # out of GPU memory is the first
        answer = {"failure": f"{one_line(error)[:300]}"}
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
