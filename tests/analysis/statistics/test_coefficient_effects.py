"""Effects of eleven coefficients: told apart where trials differ in the coefficients alone."""

import pytest

from analysis.statistics.coefficient_effects import (
    FEWEST_TRIALS,
    effects_of_coefficients,
    effects_sentence,
    per_question_trials,
)
from tests.support.records import coefficients_by_question, record


@pytest.mark.slow
def test_the_terms_that_help_and_harm_are_found() -> None:
    trials = coefficients_by_question(60)
    effects = effects_of_coefficients(per_question_trials(trials))
    assert [e.verdict for e in effects] == [
        "helps" if q == 3 else "harms" if q == 8 else "undecided" for q in range(1, 12)
    ]
    assert effects[2].effect == pytest.approx(-0.01, abs=1e-3)
    assert effects[7].effect == pytest.approx(0.02, abs=1e-3)
    told = effects_sentence(effects, len(trials))
    assert "a larger coefficient helps at question 3" in told
    assert "harms at question 8" in told


def test_too_few_trials_tell_no_effects() -> None:
    trials = coefficients_by_question(FEWEST_TRIALS - 1)
    assert effects_of_coefficients(trials) == []
    assert "too few" in effects_sentence([], len(trials))


def test_one_trial_with_eleven_coefficients_in_a_search_is_no_study() -> None:
    trials = [record(90 + i, 0.1, learning_rate=10.0**-i) for i in (2, 3)]
    assert per_question_trials([*trials, *coefficients_by_question(1)]) == []
    # the others differ in more
    assert per_question_trials([*trials, *coefficients_by_question(2)]) == []
    assert per_question_trials(coefficients_by_question(1) * 2) == []  # one vector alone
