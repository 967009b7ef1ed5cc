"""No waiting: nothing in a training step asks the device for a number."""

from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from search_spaces.declaration import config_from_values
from trainables.galaxies.galaxy_file import Galaxies
from trainables.galaxies.split import split_galaxies
from trainables.training.training_run import TrainingRun

CPU = torch.device("cpu")
SIMPLE = {"architecture": "simple_cnn", "width": 0.1, "batch_size": 16}
PARALLEL = {"architecture": "parallel_cnn", "width": 0.03, "batch_size": 16}
TRANSFORMER = {
    "architecture": "vision_transformer",
    "width": 0.25,
    "depth": 2,
    "batch_size": 16,
}
# What makes the host wait for a GPU: a number read, or a shape that depends on numbers.
WAITING = {
    "_local_scalar_dense",
    "item",
    "nonzero",
    "is_nonzero",
    "equal",
    "unique",
    "masked_select",
}


class Waiting(TorchDispatchMode):
    """Notes the operations for which the host would have to wait for a GPU."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.num_operations = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.num_operations += 1
        if func.overloadpacket.__name__ in WAITING:
            self.seen.append(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))


def begin(toys: Galaxies, values: dict[str, Any], **more: Any) -> TrainingRun:
    return TrainingRun(
        config_from_values({**values, **more}), toys, split_galaxies(toys, "seed"), CPU
    )


@pytest.mark.slow
@pytest.mark.parametrize("values", [SIMPLE, PARALLEL, TRANSFORMER])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_step_waits_for_nothing(values: dict[str, Any], precision: str, toys: Galaxies) -> None:
    run = begin(toys, values, precision=precision, optimizer="adamw", schedule="cosine")
    batch = next(run.epoch_in_steps())
    run.step(batch)
    with Waiting() as waiting:
        run.step(batch)
    assert waiting.num_operations > 50 and waiting.seen == []


def test_it_would_be_seen_if_a_step_waited(toys: Galaxies) -> None:
    run = begin(toys, SIMPLE)
    run.network.register_forward_hook(lambda _, __, votes: None if votes.sum() > 0 else 1 / 0)
    batch = next(run.epoch_in_steps())
    with Waiting() as waiting:
        run.step(batch)
    assert waiting.seen == ["_local_scalar_dense"]


def test_an_epoch_waits_as_often_however_many_steps_it_has(toys: Galaxies) -> None:
    counts = []
    for batch_size in (64, 4):  # 2 steps and 32, with two looks at the loss among them
        run = begin(toys, SIMPLE, batch_size=batch_size)
        with Waiting() as waiting:
            run.run_epoch()
        counts.append(len(waiting.seen))
    assert counts[0] == counts[1] > 0
