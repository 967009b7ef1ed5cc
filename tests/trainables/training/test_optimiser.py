"""The course of the learning rate: worked by hand, and followed by the optimiser."""

from typing import Any

import numpy as np
import pytest
import torch

from search_spaces.declaration import config_from_values
from trainables.galaxies import Galaxies, split_galaxies
from trainables.training.optimiser import learning_rate_factor
from trainables.training.training_run import TrainingRun


def factors(**values: Any) -> list[float]:
    """The factor at every step of 11 epochs of 10 steps, and at the end."""
    config = config_from_values({"architecture": "simple_cnn", "epochs": 11, **values})
    return [learning_rate_factor(config, step, 10) for step in range(111)]


def test_the_cosine_falls_from_1_to_0() -> None:
    course = factors(schedule="cosine", warmup_epochs=1)
    assert course[:10] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0])
    assert course[10] == 1
    assert course[60] == pytest.approx(0.5)  # half way through the last 100 steps
    assert course[35] == pytest.approx(0.5 + 0.5**1.5)  # a quarter: (1 + cos 45 degrees) / 2
    assert course[110] == pytest.approx(0)
    assert course[10:] == sorted(course[10:], reverse=True)


def test_without_warmup_the_cosine_starts_at_1() -> None:
    course = factors(schedule="cosine", warmup_epochs=0)
    assert (course[0], course[55]) == (1, pytest.approx(0.5))


def test_a_warmup_as_long_as_the_run_leaves_an_epoch_to_fall() -> None:
    course = factors(schedule="cosine", warmup_epochs=50)
    assert course[99] == course[100] == 1
    assert course[110] == pytest.approx(0)


def test_a_constant_rate_is_constant() -> None:
    assert factors(schedule="constant", warmup_epochs=3) == [1.0] * 111


def test_the_optimiser_follows_the_schedule(toys: Galaxies) -> None:
    values = {"architecture": "simple_cnn", "width": 0.1, "batch_size": 32, "epochs": 4}
    cosine = {"optimizer": "adamw", "schedule": "cosine", "warmup_epochs": 1}
    config = config_from_values({**values, **cosine, "learning_rate": 1e-3})
    run = TrainingRun(config, toys, split_galaxies(toys, "seed"), torch.device("cpu"))
    rates = []
    for _ in range(4):
        report = run.run_epoch()
        rates.append(report.learning_rate)  # of the last step of 4 an epoch
        assert run.optimiser.param_groups[0]["lr"] == report.learning_rate
    falling = [0.5 * (1 + np.cos(np.pi * step / 12)) for step in (3, 7, 11)]
    assert rates == pytest.approx([1e-3, *(1e-3 * f for f in falling)])
