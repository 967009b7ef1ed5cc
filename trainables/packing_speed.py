"""How fast a device trains a network in packs of several sizes, and which size is worth while."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from search_spaces.declaration.training_protocol import TrainingProtocol
from trainables.galaxies.galaxy_file import Galaxies
from trainables.galaxies.split import Split
from trainables.packed_training import PackedTraining
from trainables.training import TrainingRun

SIZES = (2, 4, 8, 16)
_STEPS = {"cpu": 2, "cuda": 10}
_VALIDATED = 8  # galaxies: next to nothing, the steps are what is measured
_MARGIN = 1.2  # times as fast as in turn, or packs are not worth what they cost the sampler
_AS_GOOD = 0.95  # of the fastest; the smallest pack that reaches it is taken


def measured_split(num_galaxies: int, batch_size: int, steps: int) -> Split:
    """Rows for so many training steps, repeated where there are too few galaxies."""
    rows = np.arange(num_galaxies, dtype=np.int64)
    trained = np.resize(rows[: batch_size * steps], batch_size * steps)
    return Split(trained, rows[:_VALIDATED], rows[:0])


def like(config: TrainingProtocol, num: int) -> list[TrainingProtocol]:
    """Configs whose steps cost what the config's do, all different, and none of which ends."""
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
    """Seconds in which one step of every config is done, all stacked; of one config, plain.

    The first pass over the `steps` is not counted. None where memory does not hold the stack.
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
    """What was measured for an architecture, and the size of its packs that follows.

    Rates are galaxies a second, those of all members of a pack together. size: 1 where packs
    are not worth while.
    """

    device: str
    in_turn: float
    stacked: dict[int, float]
    size: int

    def sentence(self) -> str:
        """The choice in words."""
        gains = ", ".join(f"{k}: {r / self.in_turn:.2f}" for k, r in self.stacked.items())
        told = (
            f"galaxies a second in packs against in turn ({self.in_turn:.0f}), {gains or 'none'}"
        )
        if self.size == 1:
            return f"{told}; trials are trained each alone"
        return f"{told}; up to {self.size} trials are trained as one"

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def choose_size(in_turn: float, stacked: dict[int, float]) -> int:
    """The smallest pack about as fast as the fastest, if that is clearly faster than in turn."""
    fastest = max(stacked.values(), default=0.0)
    if fastest < _MARGIN * in_turn:
        return 1
    return min(size for size, rate in stacked.items() if rate >= _AS_GOOD * fastest)


def measure_packing(
    config: TrainingProtocol, galaxies: Galaxies, device: torch.device
) -> PackingChoice:
    """Measure a few steps in turn, then packs of 2, 4, 8 and 16 while larger ones are faster."""
    alone = seconds_per_step(like(config, 1), galaxies, device)
    assert alone is not None  # a config alone is trained in parts where memory asks for it
    in_turn = config.batch_size / alone
    stacked = dict(_rates(config, galaxies, device))
    return PackingChoice(device.type, in_turn, stacked, choose_size(in_turn, stacked))


def _rates(
    config: TrainingProtocol, galaxies: Galaxies, device: torch.device
) -> Iterator[tuple[int, float]]:
    before = 0.0
    for size in SIZES:
        seconds = seconds_per_step(like(config, size), galaxies, device)
        if seconds is None:
            return
        rate = size * config.batch_size / seconds
        yield size, rate
        if rate < before:
            return
        before = rate
