"""The grace period that is chosen from what trials came to at the rungs."""

import numpy as np
import pytest
from scipy import stats

from galaxytune.halving.grace_period import GraceChoice, choose_grace, values_at_rungs
from tests.support.records import curve

EPOCHS = [1, 3, 9, 27]


def halved(steps: tuple[float, ...], seed: int, num_trials: int = 729) -> list[list[float]]:
    """Return the values of trials at the rungs, from each of which the best third goes on.

    steps: how the values at a rung are correlated with those at the next, among all trials.
    """
    chance = np.random.default_rng(seed)
    columns = [chance.standard_normal(num_trials)]
    for rho in steps:
        new = chance.standard_normal(num_trials)
        columns.append(rho * columns[-1] + np.sqrt(1 - rho**2) * new)
    come = [np.arange(num_trials)]
    for column in columns[:-1]:
        best = np.argsort(column[come[-1]])[: len(come[-1]) // 3]
        come.append(come[-1][best])
    return [
        [float(column[trial]) for column, there in zip(columns, come) if trial in there]
        for trial in range(num_trials)
    ]


def chosen(*steps: float, seed: int = 0) -> GraceChoice:
    return choose_grace(halved(steps, seed), EPOCHS, num_whole=9)


def test_ranks_that_tell_of_the_next_rung_keep_the_grace_period() -> None:
    found = [chosen(0.8, 0.8, 0.8, seed=seed).grace_epochs for seed in range(20)]
    assert found.count(1) >= 19


def test_ranks_are_compared_with_the_next_rung_for_with_the_end_they_hardly_agree() -> None:
    """Only trials that came to the end are compared; among all trials the agreement is larger."""
    with_end, with_next = [], []
    for seed in range(20):
        values = halved((0.8, 0.8, 0.8), seed)
        ends = [(trial[0], trial[3]) for trial in values if len(trial) == len(EPOCHS)]
        with_end.append(stats.spearmanr(*zip(*ends)).statistic)
        with_next.append(choose_grace(values, EPOCHS, num_whole=len(ends)).correlations[1])
    assert np.mean(with_end) < 0.25 and np.mean(with_next) > 0.45


@pytest.mark.parametrize(
    ("steps", "grace_epochs"),
    [((-0.9, 0.9, 0.9), 3), ((0.9, -0.9, 0.9), 9), ((-0.9, 0.9, -0.95), None)],
)
def test_the_grace_period_ends_after_the_last_rung_that_misleads(
    steps: tuple[float, ...], grace_epochs: int | None
) -> None:
    for seed in range(5):
        assert chosen(*steps, seed=seed).grace_epochs == grace_epochs


def test_a_rung_that_says_nothing_misleads_once_enough_have_gone_on() -> None:
    found = [chosen(0.0, 0.8, 0.8, seed=seed).grace_epochs for seed in range(20)]
    assert found.count(3) > found.count(1) and set(found) <= {1, 3}


def test_a_low_correlation_is_telling_among_those_who_are_alike() -> None:
    """The same values say more of a rung where nobody was kept back."""
    chance = np.random.default_rng(2)
    early = np.sort(chance.standard_normal(60))
    late = 0.1 * early + chance.standard_normal(60)
    went_on = [[float(a), float(b)] for a, b in zip(early, late)]
    kept_back = [[float(value)] for value in early[-1] + chance.random(120)]
    alone = choose_grace(went_on, [1, 3, 9], num_whole=5)
    among = choose_grace(went_on + kept_back, [1, 3, 9], num_whole=5)
    assert alone.correlations == among.correlations
    assert (alone.grace_epochs, among.grace_epochs) == (3, 1)


def test_too_few_trials_say_nothing() -> None:
    choice = choose_grace([[0.1, 0.4], [0.2, 0.3], [0.3, 0.2], [0.4, 0.1]], [1, 3], num_whole=4)
    assert (choice.grace_epochs, choice.correlations) == (1, {})
    assert choice.sentence() == (
        "too few trials have gone on from a rung to measure whether early ranks mislead; "
        "trials may pause from epoch 1 on"
    )


def test_values_that_are_all_the_same_say_nothing() -> None:
    choice = choose_grace([[0.1, 0.1, 0.1, 0.1]] * 40, EPOCHS, num_whole=20)
    assert choice.grace_epochs == 1 and set(choice.correlations.values()) == {0.0}


def test_a_whole_trial_that_ended_between_rungs_has_gone_on_from_the_earlier() -> None:
    reports = curve([0.3, 0.2, 0.4, 0.1])
    assert values_at_rungs(reports, EPOCHS, is_whole=False) == [0.3, 0.2]
    assert values_at_rungs(reports, EPOCHS, is_whole=True) == [0.3, 0.2, 0.1]
    assert values_at_rungs(reports[:3], EPOCHS, is_whole=True) == [0.3, 0.2]
    assert values_at_rungs([], EPOCHS, is_whole=True) == []


def test_whole_trials_of_a_shorter_architecture_say_nothing_of_later_rungs() -> None:
    """The whole trials never came to that rung; they would hide that long trials mislead."""
    chance = np.random.default_rng(3)
    short = [
        values_at_rungs(curve(list(chance.random(4))), EPOCHS, is_whole=True) for _ in range(200)
    ]
    long = halved((0.9, -0.9, 0.9), seed=3)
    choice = choose_grace(short + long, EPOCHS, num_whole=200)
    assert choice.correlations[9] == choose_grace(long, EPOCHS, num_whole=9).correlations[9]
