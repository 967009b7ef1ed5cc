"""Nothing in a training step asks the device for a number, and galaxies are mapped, not copied."""

from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from search_spaces import config_from_values
from trainables.divergence import Diverged, DivergenceWatch
from trainables.galaxies.galaxy_file import Galaxies
from trainables.galaxies.split import split_galaxies
from trainables.galaxy_source import MappedGalaxies, galaxy_source
from trainables.training import TrainingRun

CPU = torch.device("cpu")
SIMPLE = {"architecture": "simple_cnn", "width": 0.1}
PARALLEL = {"architecture": "parallel_cnn", "width": 0.03}
TRANSFORMER = {"architecture": "vision_transformer", "width": 0.25, "depth": 2}
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


@pytest.mark.parametrize("sum_so_far", [float("nan"), float("inf")])
def test_a_loss_that_is_none_is_seen_at_the_next_look(sum_so_far: float) -> None:
    watch = DivergenceWatch(CPU, epoch=7)
    watch.look(0, torch.tensor(1.0))
    watch.look(24, torch.tensor(sum_so_far))
    with pytest.raises(Diverged, match=f"^train_loss is {sum_so_far} in epoch 7$"):
        watch.look(25, torch.tensor(sum_so_far))


def test_a_processor_trains_on_the_mapped_file(toys: Galaxies) -> None:
    source = galaxy_source(toys, CPU)
    assert isinstance(source, MappedGalaxies)
    held = [value for value in vars(source).values() if isinstance(value, np.ndarray)]
    assert held == [] and isinstance(toys.images, np.memmap)
    rows = torch.tensor([3, 190, 7])
    np.testing.assert_array_equal(source.pixels(rows).numpy(), toys.images[[3, 190, 7]])
    np.testing.assert_array_equal(source.votes(rows).numpy(), toys.target[[3, 190, 7]])


def test_a_run_holds_no_pixels(toys: Galaxies) -> None:
    run = begin(toys, SIMPLE)
    batch = next(run.epoch_in_steps())
    assert batch.source._galaxies.images is toys.images  # type: ignore[union-attr]
    assert batch.rows.dtype == torch.int64 and len(batch.rows) == len(batch)


def test_batches_hold_every_training_galaxy_once_each_with_its_own_votes(toys: Galaxies) -> None:
    run = begin(toys, SIMPLE, batch_size=48)
    steps, rows = run.epoch_in_steps(), []
    batch = next(steps)
    while True:
        rows += batch.rows.tolist()
        assert torch.equal(batch.votes(), torch.from_numpy(toys.target[batch.rows.numpy()]))
        try:
            batch = steps.send(run.step(batch))
        except StopIteration:
            break
    assert sorted(rows) == sorted(run.split.training.tolist())
    assert rows != sorted(rows)
