"""Architectures compared: on the same galaxies, with what the data do not support said."""

import pytest

from analysis.statistics.comparison import (
    best_by_architecture,
    paired_differences,
    ranking_sentences,
    seeds_of,
)
from tests.support.held_out import held_out
from tests.support.records import grid, record


def test_clearly_different_networks_are_ranked() -> None:
    tested = {"a": held_out("a", 0.1), "b": held_out("b", 0.12, seed=2)}
    (pair,) = paired_differences(tested, {"a": [0.1], "b": [0.12]})
    assert pair.difference == pytest.approx(-0.02, abs=2e-3)
    assert pair.high < 0 and pair.supported
    told = ranking_sentences([pair])
    assert told[0] == "The data support these rankings: a before b."
    assert "single seed" in told[1]


def test_networks_alike_are_not_ranked() -> None:
    tested = {"a": held_out("a", 0.1), "b": held_out("b", 0.1, seed=2)}
    (pair,) = paired_differences(tested, {"a": [0.1, 0.11], "b": [0.11, 0.1]})
    assert pair.low < 0 < pair.high and not pair.supported
    assert ranking_sentences([pair]) == ["The data do not support a ranking of a and b."]


def test_seeds_that_scatter_more_than_they_differ_unmake_a_ranking() -> None:
    tested = {"a": held_out("a", 0.1), "b": held_out("b", 0.12, seed=2)}
    scattered = {"a": [0.09, 0.14, 0.11], "b": [0.12, 0.10, 0.13]}
    (pair,) = paired_differences(tested, scattered)
    assert pair.galaxies_support and not pair.supported
    (steady,) = paired_differences(tested, {"a": [0.1, 0.101], "b": [0.12, 0.121]})
    assert steady.supported


def test_galaxies_and_seeds_must_agree_in_direction() -> None:
    tested = {"a": held_out("a", 0.1), "b": held_out("b", 0.12, seed=2)}
    (pair,) = paired_differences(tested, {"a": [0.12, 0.121], "b": [0.1, 0.101]})
    assert pair.galaxies_support and (pair.seed_p_value or 1) < 0.05
    assert pair.difference < 0 < pair.seed_difference and not pair.supported
    assert ranking_sentences([pair]) == ["The data do not support a ranking of a and b."]


def test_more_pairs_need_wider_intervals() -> None:
    two = {"a": held_out("a", 0.1), "b": held_out("b", 0.101, seed=2)}
    four = two | {"c": held_out("c", 0.2, seed=3), "d": held_out("d", 0.3, seed=4)}
    seeds = {name: [0.1] for name in four}
    narrow, wide = paired_differences(two, seeds)[0], paired_differences(four, seeds)[0]
    assert wide.high - wide.low > 1.2 * (narrow.high - narrow.low)


def test_networks_scored_on_other_galaxies_are_not_compared() -> None:
    with pytest.raises(ValueError, match="scored on different galaxies"):
        paired_differences({"a": held_out("a", 0.1), "b": held_out("b", 0.1, first_id=5)}, {})


def test_seeds_are_the_trials_that_differ_in_nothing_else() -> None:
    trials = [*grid({0: 0.0, 1: 0.1}, noise=0), record(9, 0.5, learning_rate=0.01)]
    assert seeds_of(trials[0], trials) == pytest.approx([0.15, 0.16, 0.17])
    assert seeds_of(trials[-1], trials) == [0.5]


def test_the_best_of_an_architecture_is_complete() -> None:
    trials = [record(1, 0.2), record(7, 0.01, status="pruned"), record(2, 0.1)]
    assert best_by_architecture(trials)["simple_cnn"].id == "00002"
