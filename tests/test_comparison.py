"""Architectures compared: on the same galaxies, with what the data do not support said."""

import numpy as np
import pytest

from analysis.comparison import (
    best_by_architecture,
    paired_differences,
    ranking_sentences,
    seeds_of,
)
from analysis.comparison_section import comparison_section
from analysis.held_out import HeldOut
from analysis.intervals import resampled_rmses, resamples_for
from analysis.published_results import PUBLISHED
from analysis.study_results import BestNetwork, StudyResults
from search_spaces import config_from_values
from tests.test_constraint_study import grid, record

VOTED = np.random.default_rng(0).random((300, 37)).astype(np.float32)


def held_out(label: str, error: float, seed: int = 1, ids: int = 0) -> HeldOut:
    noise = np.random.default_rng(seed).standard_normal(VOTED.shape).astype(np.float32)
    images = np.zeros((300, 8, 8, 3), np.uint8)
    return HeldOut(label, np.arange(300) + ids, images, VOTED, VOTED + error * noise)


def test_clearly_different_networks_are_ranked() -> None:
    tested = {"a": held_out("a", 0.1), "b": held_out("b", 0.12, 2)}
    (pair,) = paired_differences(tested, {"a": [0.1], "b": [0.12]})
    assert pair.difference == pytest.approx(-0.02, abs=2e-3)
    assert pair.high < 0 and pair.supported
    told = ranking_sentences([pair])
    assert told[0] == "The data support these rankings: a before b."
    assert "single seed" in told[1]


def test_networks_alike_are_not_ranked() -> None:
    tested = {"a": held_out("a", 0.1), "b": held_out("b", 0.1, 2)}
    (pair,) = paired_differences(tested, {"a": [0.1, 0.11], "b": [0.11, 0.1]})
    assert pair.low < 0 < pair.high and not pair.supported
    assert ranking_sentences([pair]) == ["They do not rank a and b."]


def test_seeds_that_scatter_more_than_they_differ_unmake_a_ranking() -> None:
    tested = {"a": held_out("a", 0.1), "b": held_out("b", 0.12, 2)}
    scattered = {"a": [0.09, 0.14, 0.11], "b": [0.12, 0.10, 0.13]}
    (pair,) = paired_differences(tested, scattered)
    assert pair.galaxies_support and not pair.supported
    (steady,) = paired_differences(tested, {"a": [0.1, 0.101], "b": [0.12, 0.121]})
    assert steady.supported


def test_galaxies_and_seeds_must_agree_in_direction() -> None:
    tested = {"a": held_out("a", 0.1), "b": held_out("b", 0.12, 2)}
    (pair,) = paired_differences(tested, {"a": [0.12, 0.121], "b": [0.1, 0.101]})
    assert pair.galaxies_support and (pair.seed_p_value or 1) < 0.05
    assert pair.difference < 0 < pair.seed_difference and not pair.supported
    assert ranking_sentences([pair]) == ["They do not rank a and b."]


def test_the_tails_of_many_pairs_hold_enough_resamples() -> None:
    pairs = 45  # of ten architectures
    assert resamples_for(0.025 / pairs) >= 36_000
    voted = VOTED[:5]
    drawn = resampled_rmses([voted + 0.1, voted], voted, num_resamples=7)
    assert drawn.shape == (7, 2) and drawn[:, 0] == pytest.approx(0.1, rel=1e-5)


def test_a_network_that_is_gone_is_compared_by_its_predictions() -> None:
    config = config_from_values({"architecture": "simple_cnn"})
    best = BestNetwork(record(1, 0.1), config, None, held_out("a", 0.1))
    results = StudyResults("s", [best.record], {}, noise_floor=0.05, best={"simple_cnn": best})
    made = comparison_section(results)
    assert made is not None
    (row,) = made[0].tables[0].rows
    assert row[2] == pytest.approx(0.1, abs=2e-3) and row[8:10] == [None, None]


def test_more_pairs_need_wider_intervals() -> None:
    two = {"a": held_out("a", 0.1), "b": held_out("b", 0.101, 2)}
    four = two | {"c": held_out("c", 0.2, 3), "d": held_out("d", 0.3, 4)}
    seeds = {name: [0.1] for name in four}
    narrow, wide = paired_differences(two, seeds)[0], paired_differences(four, seeds)[0]
    assert wide.high - wide.low > 1.2 * (narrow.high - narrow.low)


def test_networks_scored_on_other_galaxies_are_not_compared() -> None:
    with pytest.raises(ValueError, match="scored on different galaxies"):
        paired_differences({"a": held_out("a", 0.1), "b": held_out("b", 0.1, ids=5)}, {})


def test_seeds_are_the_trials_that_differ_in_nothing_else() -> None:
    trials = [*grid({0: 0.0, 1: 0.1}, noise=0), record(9, 0.5, learning_rate=0.01)]
    assert seeds_of(trials[0], trials) == pytest.approx([0.15, 0.16, 0.17])
    assert seeds_of(trials[-1], trials) == [0.5]


def test_the_best_of_an_architecture_is_complete() -> None:
    pruned = record(7, 0.01).model_copy(update={"status": "pruned"})
    assert (
        best_by_architecture([record(1, 0.2), pruned, record(2, 0.1)])["simple_cnn"].id == "00002"
    )


def test_the_published_table_has_the_reports_four_networks() -> None:
    ranking = sorted(PUBLISHED, key=lambda name: PUBLISHED[name].rmse)
    assert ranking == ["parallel_cnn", "vision_transformer", "vgg16", "resnet50"]
