"""Intervals and p-values: against formulas, tables and scipy, and never wider than need be."""

import numpy as np
import pytest
from scipy import stats

from analysis.statistics.intervals import (
    holm_adjusted,
    least_detectable,
    mean_interval,
    paired_p_value,
    resampled_rmses,
    resamples_for,
    rmse_difference_interval,
    rmse_interval,
)
from trainables.training import rmse


def predictions(num_galaxies: int = 200) -> tuple[np.ndarray, np.ndarray]:
    chance = np.random.default_rng(0)
    voted = chance.random((num_galaxies, 37))
    spread = chance.uniform(0.02, 0.2, (num_galaxies, 1))  # some galaxies are harder
    return voted + spread * chance.normal(size=voted.shape), voted


def test_the_interval_holds_the_rmse_and_is_always_the_same() -> None:
    predicted, voted = predictions()
    low, high = rmse_interval(predicted, voted)
    assert low < np.sqrt(np.mean((predicted - voted) ** 2)) < high
    assert rmse_interval(predicted, voted) == (low, high)
    assert rmse_interval(predicted, voted, seed=1) != (low, high)


def test_the_interval_is_that_of_the_normal_approximation() -> None:
    predicted, voted = predictions()
    squares = ((predicted - voted) ** 2).mean(axis=1)
    half = 1.96 * squares.std(ddof=1) / np.sqrt(len(squares))
    expected = np.sqrt([squares.mean() - half, squares.mean() + half])
    assert rmse_interval(predicted, voted) == pytest.approx(tuple(expected), rel=0.02)


def test_the_interval_of_a_difference_is_paired_by_galaxy() -> None:
    predicted, voted = predictions()
    worse = voted + 1.1 * (predicted - voted)
    low, high = rmse_difference_interval(worse, predicted, voted)
    alone = rmse_interval(predicted, voted)
    assert low == pytest.approx(0.1 * alone[0]) and high == pytest.approx(0.1 * alone[1])
    assert rmse_difference_interval(predicted, worse, voted) == pytest.approx((-high, -low))


def test_a_paired_interval_knows_what_the_galaxies_share() -> None:
    predicted, voted = predictions()
    better = voted + 0.9 * (predicted - voted)
    low, high = rmse_difference_interval(better, predicted, voted)
    assert low < -0.1 * rmse(predicted, voted) < high < 0
    alone = rmse_interval(predicted, voted)
    assert high - low < 0.2 * (alone[1] - alone[0])


def test_equal_errors_leave_no_interval() -> None:
    voted = np.full((20, 37), 0.5)
    assert rmse_interval(voted + 0.1, voted) == pytest.approx((0.1, 0.1))


def test_less_confidence_narrows_the_interval() -> None:
    (low, high), (lower, higher) = (
        rmse_interval(*predictions(), confidence=c) for c in (0.5, 0.95)
    )
    assert lower < low < high < higher


def test_a_paired_interval_is_narrower_than_the_scatter_of_galaxies() -> None:
    chance = np.random.default_rng(0)
    voted = chance.random((400, 37))
    errors = chance.standard_normal((400, 37)) * chance.uniform(0.01, 0.2, (400, 1))
    drawn = resampled_rmses([voted + 1.1 * errors, voted + errors], voted, num_resamples=2000)
    low, high = np.quantile(drawn[:, 0] - drawn[:, 1], [0.025, 0.975])
    difference = 0.1 * np.sqrt(np.mean(errors**2))
    assert low < difference < high and high - low < 0.3 * difference


def test_the_tails_of_many_pairs_hold_enough_resamples() -> None:
    pairs = 45  # of ten architectures
    assert resamples_for(0.025 / pairs) >= 36_000
    voted = np.random.default_rng(0).random((5, 37)).astype(np.float32)
    drawn = resampled_rmses([voted + 0.1, voted], voted, num_resamples=7)
    assert drawn.shape == (7, 2) and drawn[:, 0] == pytest.approx(0.1, rel=1e-5)


def test_the_mean_interval_is_students() -> None:
    low, high = mean_interval([1.0, 2.0, 3.0]) or (0, 0)
    half = 4.302653 * 1 / np.sqrt(3)  # t of two degrees of freedom at 97.5 %
    assert (low, high) == pytest.approx((2 - half, 2 + half), rel=1e-5)
    assert mean_interval([1.0]) is None


def test_equal_values_have_a_mean_without_any_spread() -> None:
    assert mean_interval([0.1, 0.1]) == (0.1, 0.1)


def test_the_paired_p_value_is_that_of_a_t_test() -> None:
    differences = [0.1, 0.2, 0.4]
    assert paired_p_value(differences) == pytest.approx(stats.ttest_1samp(differences, 0).pvalue)
    t = np.mean(differences) / (np.std(differences, ddof=1) / np.sqrt(3))
    assert paired_p_value(differences) == pytest.approx(2 * stats.t.sf(t, 2))
    assert paired_p_value([0.1]) is None
    assert (paired_p_value([0.0, 0.0]), paired_p_value([0.1, 0.1])) == (1.0, 0.0)


def test_holm_multiplies_the_smallest_by_the_most() -> None:
    # Holm 1979: .01 x 4, then .02 x 3, .03 x 2 and .04 x 1, none below the one before it
    assert holm_adjusted([0.03, 0.01, 0.04, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm_adjusted([0.9, 0.8]) == [1.0, 1.0]


def test_the_least_detectable_difference_is_holms_first_step() -> None:
    # t of 2 degrees of freedom at 1 - .05 / 12 is 10.886; over the root of 3 pairs
    assert least_detectable(3, 6) == pytest.approx(10.886 / np.sqrt(3), rel=1e-3)
