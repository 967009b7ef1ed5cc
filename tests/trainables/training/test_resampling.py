"""Training galaxies drawn so that their votes resemble those of unbiased galaxies."""

import numpy as np
import pytest
import torch

from trainables.training.resampling import drawn_order, importances


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def shares(clear: float, count: int) -> np.ndarray:
    """Votes of galaxies of which the share `clear` has a first fraction near 0.9, the rest 0.2."""
    chance = np.random.default_rng(count)
    votes = chance.uniform(0.4, 0.6, (count, 37))
    is_clear = np.arange(count) < clear * count
    votes[:, 0] = np.where(is_clear, 0.9, 0.2) + chance.uniform(-0.05, 0.05, count)
    return votes.astype(np.float32)


def test_without_importances_each_galaxy_is_drawn_once() -> None:
    order = drawn_order(50, None, generator())
    assert sorted(order) == list(range(50)) and list(order) != list(range(50))
    again = torch.randperm(50, generator=generator()).numpy()
    assert np.array_equal(order, again)  # the numbers of earlier versions


def test_a_galaxy_is_drawn_as_often_as_its_importance_rounded_down_or_up() -> None:
    importance = np.array([0.0, 0.5, 1.0, 2.5, 1.0])
    counts = np.array(
        [np.bincount(drawn_order(5, importance, generator(i)), minlength=5) for i in range(400)]
    )
    assert (counts.sum(axis=1) == 5).all()
    assert (counts >= np.floor(importance)).all() and (counts <= np.ceil(importance)).all()
    assert counts.mean(axis=0) == pytest.approx(importance, abs=0.08)


def test_importances_undo_a_lean_towards_clear_galaxies() -> None:
    training, unbiased = shares(0.6, 1000), shares(0.3, 500)
    importance = importances(training, unbiased)
    assert importance.mean() == pytest.approx(1)
    assert np.average(training[:, 0] > 0.5, weights=importance) == pytest.approx(0.3, abs=0.03)
    # parts that differ by chance alone give small importances
    assert importances(training, shares(0.6, 500)).std() < 0.5


def test_an_importance_has_bounds() -> None:
    importance = importances(shares(0.999, 1000), shares(0.001, 1000))
    assert importance.max() / importance.min() <= 50
