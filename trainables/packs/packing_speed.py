"""Measurement of the training speed in packs of several sizes, and the choice of the best size."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from search_spaces.declaration import TrainingProtocol
from trainables.device import OutOfMemory
from trainables.galaxies import Galaxies, Split
from trainables.packs.packed_training import PackedTraining
from trainables.training import TrainingRun

SIZES = (2, 4, 8, 16)
_STEPS = {"cpu": 2, "cuda": 10}
_VALIDATED = 8  # galaxies: few, because the training steps are measured
_MARGIN = 1.2  # times as fast as in turn; a smaller gain is not worth the sampler's loss by packs
_AS_GOOD = 0.95  # of the fastest speed; the smallest pack that reaches this share is taken


def measured_split(num_galaxies: int, batch_size: int, steps: int) -> Split:
    """Return a split with the training rows of `steps` batches and at most 8 validation rows.

    num_galaxies: number of galaxies in the file. batch_size: galaxies in a batch. The training
    rows are the first rows of the file, repeated if the file has too few galaxies. The validation
    rows are the first 8 rows, which are training rows too. The test part is empty.
    """
    rows = np.arange(num_galaxies, dtype=np.int64)
    trained = np.resize(rows[: batch_size * steps], batch_size * steps)
    return Split(trained, rows[:_VALIDATED], rows[:0])


def like(config: TrainingProtocol, num: int) -> list[TrainingProtocol]:
    """Return `num` configs whose steps cost as much as those of `config`.

    The configs differ in their seed, 0 to num - 1. Their runs do not end early: the configs have
    1000 epochs, no early stopping, and a learning rate of 1e-6, with which no run diverges.
    """
    changes = {"epochs": 1000, "early_stopping_patience": 0, "learning_rate": 1e-6}
    return [config.model_copy(update={**changes, "seed": seed}) for seed in range(num)]


def seconds_per_step(
    configs: Sequence[TrainingProtocol],
    galaxies: Galaxies,
    device: torch.device,
    *,
    steps: int | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> float | None:
    """Return the seconds that one step of all configs together takes.

    One config is trained alone, several configs are trained as one pack. The time is that of an
    epoch, its validation on at most 8 galaxies included, divided by the number of steps. The
    result is None if memory does not hold all runs of a pack in one stack, or if a run leaves the
    pack.

    configs: configs that can be trained as one pack; ValueError is raised if they cannot.
    galaxies: the galaxies to train on. device: a CPU or a CUDA device. steps: steps in each of two
    epochs, or None for 2 steps on a CPU and 10 on a GPU; only the second epoch is timed. clock:
    returns the present time in seconds.

    OutOfMemory is raised if memory does not hold all networks beside each other, or a single
    config with one galaxy at a time. Diverged is raised if a single config diverges.
    """
    num_steps = steps or _STEPS[device.type]
    split = measured_split(len(galaxies), configs[0].batch_size, num_steps)
    runs = [TrainingRun(config, galaxies, split, device) for config in configs]
    pack = PackedTraining(runs) if len(runs) > 1 else None
    seconds = 0.0
    for _ in range(2):
        started = clock()
        _ = runs[0].run_epoch() if pack is None else pack.run_epoch()
        seconds = clock() - started
        if pack is not None and (pack.largest_stack < len(runs) or pack.runs != runs):
            return None
    return seconds / num_steps


@dataclass(frozen=True)
class PackingChoice:
    """The speeds that were measured for an architecture, and the size of its packs.

    device: type of the device, `cpu` or `cuda`.
    in_turn: galaxies per second if configs are trained one after the other.
    stacked: galaxies per second of all members of a pack together, by the size of the pack.
    size: the chosen number of configs in a pack; 1 if packs are not worth their cost.
    """

    device: str
    in_turn: float
    stacked: dict[int, float]
    size: int

    def sentence(self) -> str:
        """Return the speeds and the choice in words, on one line.

        The speed of each size of packs is given as a multiple of the speed in turn.
        """
        gains = ", ".join(f"{k}: {r / self.in_turn:.2f}" for k, r in self.stacked.items())
        told = (
            f"galaxies a second in packs against in turn ({self.in_turn:.0f}), {gains or 'none'}"
        )
        if self.size == 1:
            return f"{told}; each trial is trained alone"
        return f"{told}; up to {self.size} trials are trained as one"

    def as_json(self) -> dict[str, Any]:
        """Return the fields by name, as plain values for JSON.

        The keys of `stacked` are whole numbers, which JSON turns into texts.
        """
        return asdict(self)


def choose_size(in_turn: float, stacked: dict[int, float]) -> int:
    """Return the smallest size of a pack that is about as fast as the fastest, or 1.

    in_turn: galaxies per second without packs. stacked: galaxies per second of all members
    together, by the size of the pack, possibly empty. The chosen size reaches 0.95 of the fastest
    speed. The result is 1 if `stacked` is empty or the fastest speed is less than 1.2 times
    `in_turn`.
    """
    fastest = max(stacked.values(), default=0.0)
    if fastest < _MARGIN * in_turn:
        return 1
    return min(size for size, rate in stacked.items() if rate >= _AS_GOOD * fastest)


def measure_packing(
    config: TrainingProtocol, galaxies: Galaxies, device: torch.device
) -> PackingChoice:
    """Measure the speed of a config alone and in packs; return the speeds and the chosen size.

    The sizes are 2, 4, 8 and 16; no larger size is measured after a size that is slower than the
    size before it, or whose networks or steps memory does not hold. Each speed is that of a few
    training steps on `device`, a CPU or a CUDA device.

    config: a config whose architecture can be trained in packs; ValueError is raised otherwise.
    OutOfMemory is raised if memory does not hold the training of one config.
    """
    alone = seconds_per_step(like(config, 1), galaxies, device)
    assert alone is not None  # a config alone is trained in parts if memory is short
    in_turn = config.batch_size / alone
    stacked = dict(_rates(config, galaxies, device))
    return PackingChoice(device.type, in_turn, stacked, choose_size(in_turn, stacked))


def _rates(
    config: TrainingProtocol, galaxies: Galaxies, device: torch.device
) -> Iterator[tuple[int, float]]:
    """Yield each measured size with the galaxies per second of a pack of this size."""
    before = 0.0
    for size in SIZES:
        try:
            seconds = seconds_per_step(like(config, size), galaxies, device)
        except OutOfMemory:  # memory does not hold the networks of the pack beside each other
            return
        if seconds is None:
            return
        rate = size * config.batch_size / seconds
        yield size, rate
        if rate < before:
            return
        before = rate
