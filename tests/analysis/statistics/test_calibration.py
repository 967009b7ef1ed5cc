"""Whether predicted fractions are met on average: bins, intervals and the error by hand."""

import numpy as np
import pytest

from analysis.statistics.calibration import calibration_of, question_calibrations
from trainables.decision_tree import QUESTIONS


def random_fractions(seed: int, num_galaxies: int = 300) -> np.ndarray:
    return np.random.default_rng(seed).random((num_galaxies, 37))


def test_perfect_predictions_have_no_error() -> None:
    voted = random_fractions(0)
    result = calibration_of(voted, voted)
    assert result.error == pytest.approx(0)
    np.testing.assert_allclose(result.voted, result.predicted)


def test_bins_and_error_worked_by_hand() -> None:
    predicted = np.array([[0.1, 0.2], [0.3, 0.7]])
    voted = np.array([[0.0, 0.4], [0.5, 0.4]])
    result = calibration_of(predicted, voted, num_bins=2)
    np.testing.assert_array_equal(result.counts, [3, 1])
    np.testing.assert_allclose(result.predicted, [0.2, 0.7])
    np.testing.assert_allclose(result.voted, [0.3, 0.4])
    assert result.error == pytest.approx((3 * 0.1 + 1 * 0.3) / 4)


def test_the_interval_is_students_where_each_galaxy_gives_one_value() -> None:
    voted = np.array([[0.1], [0.2], [0.3], [0.4], [0.5]])
    result = calibration_of(np.full((5, 1), 0.3), voted)
    half = 2.776445 * np.std(voted, ddof=1) / np.sqrt(5)  # t of 4 degrees of freedom, 97.5 %
    assert result.low[0] == pytest.approx(0.3 - half)
    assert result.high[0] == pytest.approx(0.3 + half)


def test_repeating_a_galaxys_answers_narrows_nothing() -> None:
    voted = random_fractions(0)[:, :1]
    once = calibration_of(np.full((300, 1), 0.5), voted)
    again = calibration_of(np.full((300, 4), 0.5), np.repeat(voted, 4, axis=1))
    assert (again.low[0], again.high[0]) == pytest.approx((once.low[0], once.high[0]))


def test_a_bin_of_one_galaxy_says_nothing_of_the_spread() -> None:
    result = calibration_of(np.array([[0.05], [0.06], [0.95]]), np.array([[0.0], [0.2], [0.9]]))
    assert (result.low[-1], result.high[-1]) == (0, 1)


def test_a_fraction_of_one_belongs_to_the_last_bin() -> None:
    result = calibration_of(np.array([[0.95], [1.0]]), np.array([[0.9], [1.0]]))
    np.testing.assert_array_equal(result.counts, [2])


def test_a_constant_shift_is_the_error_of_every_question() -> None:
    voted = 0.2 + 0.5 * random_fractions(1)
    results = question_calibrations(voted + 0.1, voted)
    assert [result.name for result in results] == [question.name for question in QUESTIONS]
    assert [result.error for result in results] == pytest.approx([0.1] * 11)


def test_unlike_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"predicted is \(3, 37\), voted \(4, 37\)"):
        calibration_of(np.zeros((3, 37)), np.zeros((4, 37)))
