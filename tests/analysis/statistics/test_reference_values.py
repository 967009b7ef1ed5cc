"""What an RMSE is compared with: the noise floor of the votes, and the published results."""

import numpy as np
import pytest

from analysis.statistics.reference_values import PUBLISHED, noise_floor
from trainables.simulation.galaxies import simulate_galaxies


def test_the_noise_floor_worked_by_hand() -> None:
    halves = np.full((3, 37), 0.5)
    assert noise_floor(halves, np.full(3, 26)) == pytest.approx(0.1)  # sqrt(.25 / 25)
    assert noise_floor(halves) == pytest.approx(0.5 / 43**0.5)  # 44 votes are assumed
    mixed = np.array([[0.5] * 37, [0.0] * 37])
    assert noise_floor(mixed, np.array([26, 44])) == pytest.approx(0.1 / 2**0.5)


def test_a_single_vote_gives_a_finite_floor() -> None:
    assert noise_floor(np.full((1, 37), 0.5), np.array([1])) == pytest.approx(0.5)


def test_the_noise_floor_is_the_rmse_of_the_true_probabilities() -> None:
    chance = np.random.default_rng(0)
    truth, votes = chance.random((2000, 37)), chance.integers(30, 61, 2000)
    fractions = chance.binomial(votes[:, None], truth) / votes[:, None]
    known = np.sqrt(np.mean((fractions - truth) ** 2))
    assert noise_floor(fractions, votes) == pytest.approx(known, rel=0.02)


@pytest.mark.slow
def test_volunteers_who_agree_with_one_another_raise_the_real_floor() -> None:
    toys = simulate_galaxies(300, seed=4)
    known = np.sqrt(np.mean((toys.target - toys.probabilities) ** 2))
    most = np.sqrt(1 + 43 / 71)  # Dirichlet-multinomial: 1 + (votes - 1) / (concentration + 1)
    assert 1.1 < known / noise_floor(toys.target, toys.num_votes) < most


def test_the_published_table_has_the_reports_four_networks() -> None:
    ranking = sorted(PUBLISHED, key=lambda name: PUBLISHED[name].rmse)
    assert ranking == ["parallel_cnn", "vision_transformer", "vgg16", "resnet50"]
