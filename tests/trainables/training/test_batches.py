"""Training batches: every galaxy once an epoch, with its own votes, and no pixels held."""

from typing import Any

import torch

from search_spaces.declaration import config_from_values
from trainables.galaxies.galaxy_file import Galaxies
from trainables.galaxies.split import split_galaxies
from trainables.training.training_run import TrainingRun

CPU = torch.device("cpu")
SIMPLE = {"architecture": "simple_cnn", "width": 0.1}


def begin(toys: Galaxies, values: dict[str, Any], **more: Any) -> TrainingRun:
    return TrainingRun(
        config_from_values({**values, **more}), toys, split_galaxies(toys, "seed"), CPU
    )


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
