"""The constraints study in words: only what its seeds support, and what so few cannot show."""

from analysis.records import TrialRecord
from analysis.statistics.constraint_claims import supported_sentences
from analysis.statistics.constraint_study import coefficient_results, trial_table
from tests.support.records import grid


def told_of(trials: list[TrialRecord]) -> str:
    return " ".join(supported_sentences(coefficient_results(trial_table(trials))))


def test_the_sentence_says_what_is_sure_and_what_is_open() -> None:
    told = told_of(grid({0: 0, 0.001: 0.00001, 0.5: 0.02, 1: -0.01}))
    rmse, residual = told.split("on the mean tree residual: ")
    assert "over 3 pairs of seeds, on validation RMSE" in rmse
    assert "coefficient 1 lowers it against 0, by up to 0.01" in rmse
    assert "coefficient 0.5 raises it against 0, by up to 0.02" in rmse
    assert "0.001 cannot be told from 0" in rmse
    assert "coefficient 1 lowers it against 0, by up to 0.005" in residual  # half of the RMSE
    assert "coefficient 0.5 raises it against 0, by up to 0.01" in residual


def test_one_seed_supports_no_claim() -> None:
    assert "no coefficient has two seeds in common" in told_of(grid({0: 0, 1: 0.5}, 1))


def test_without_coefficient_0_nothing_is_claimed() -> None:
    assert "no trial has coefficient 0" in told_of(grid({0.1: 0, 1: 0.5}))


def test_a_thin_coefficient_is_named_and_the_others_are_judged() -> None:
    trials = [t for t in grid({0: 0, 0.5: 0.02, 1: 0.03}) if t.id not in ("00007", "00008")]
    told = told_of(trials)
    assert "over 3 pairs" in told and "coefficient 0.5 raises it against 0" in told
    assert "; 1 has a single seed." in told
    results = coefficient_results(trial_table(trials))
    assert [r.rmse_change and r.rmse_change.num_pairs for r in results] == [None, 3, 1]


def test_pairs_are_counted_and_not_seeds() -> None:
    trials = grid({0: 0, 0.5: 0.02}, 4)
    told = told_of([t for t in trials if t.id not in ("00002", "00003")])  # two zeros failed
    assert "over 2 pairs of seeds" in told


def test_few_seeds_are_told_what_they_cannot_show() -> None:
    told = told_of(grid({0: 0, 0.1: 0, 0.2: 0, 0.5: 0, 1: 0, 2: 0, 3: 0}))
    assert "with 3 pairs and 6 coefficients a tree" in told and "above 6.3 standard" in told
    assert "Seeds are few" not in told_of(grid({0: 0, 1: 0}, 6))
