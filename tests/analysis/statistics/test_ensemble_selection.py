"""The greedy choice of an ensemble, by hand and against the plain way of computing it."""

import numpy as np
import pytest

from analysis.statistics.ensemble_selection import MOST_PICKS, select_ensemble
from trainables.training import rmse

VOTED = np.zeros((2, 1))


def errors(*pairs: tuple[float, float]) -> list[np.ndarray]:
    """Predictions of two galaxies with one answer each, whose votes are 0."""
    return [np.array(pair)[:, None] for pair in pairs]


def test_the_picks_by_hand() -> None:
    # squared errors 2.5, 5 and 4.5: the first is best alone
    # with the first: (1, 2)+(-2, 1) -> 1+9 = 10; (1, 2)+(0, -3) -> 1+1 = 2; twice -> 20
    # then (1, -1)+(1, 2) -> 4+1 = 5; +(-2, 1) -> 1+0 = 1; +(0, -3) -> 1+16 = 17
    networks = errors((1, 2), (-2, 1), (0, -3))
    assert select_ensemble(networks, VOTED, 1).tolist() == [1, 0, 0]
    assert select_ensemble(networks, VOTED, 2).tolist() == [1, 0, 1]
    assert select_ensemble(networks, VOTED, 3).tolist() == [1, 1, 1]


def test_a_network_is_picked_again_where_that_helps() -> None:
    # the best mix of errors (1, 0) and (-3, 0) has the weights 3/4 and 1/4
    networks = errors((1, 0), (-3, 0))
    assert select_ensemble(networks, VOTED, 4).tolist() == [3, 1]
    assert select_ensemble(networks, VOTED).tolist() == [3, 1]


def test_the_best_network_alone_stays_alone() -> None:
    assert select_ensemble(errors((3, 3), (1, 1), (2, 2)), VOTED).tolist() == [0, 1, 0]
    assert select_ensemble(errors((1, 1)), VOTED).tolist() == [1]
    assert select_ensemble(errors((1, 1), (1, 1)), VOTED).tolist() == [1, 0]


def test_a_number_of_picks_is_kept_to_also_where_fewer_are_better() -> None:
    assert select_ensemble(errors((1, 1), (9, 9)), VOTED, 7).tolist() == [7, 0]


def test_the_choice_is_that_of_the_plain_computation() -> None:
    chance = np.random.default_rng(0)
    voted = chance.random((60, 37))
    shared = 0.1 * chance.standard_normal(voted.shape)
    networks = [voted + shared + s * chance.standard_normal(voted.shape) for s in (0.2, 0.1, 0.3)]
    picks: list[int] = []
    best: tuple[float, list[int]] = (np.inf, [])
    for _ in range(MOST_PICKS):
        mixes = [np.mean([networks[i] for i in [*picks, t]], axis=0) for t in range(3)]
        scores = [rmse(mix, voted) for mix in mixes]
        picks.append(int(np.argmin(scores)))
        if min(scores) < best[0]:
            best = (min(scores), list(picks))
    counts = select_ensemble(networks, voted)
    assert counts.tolist() == np.bincount(best[1], minlength=3).tolist()
    assert counts.sum() > 1
    weights = counts / counts.sum()
    mixed = sum(w * p for w, p in zip(weights, networks))
    assert rmse(mixed, voted) == pytest.approx(best[0])
    assert best[0] < min(rmse(p, voted) for p in networks)
