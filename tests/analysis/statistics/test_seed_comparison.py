"""The paired comparison of configs over seeds, and how sure the best config is said to be."""

import numpy as np
import pytest
from scipy import stats

from analysis.records import TrialRecord
from analysis.statistics.seed_comparison import seed_p_values, seeds_sentence
from tests.support.records import record


def test_for_two_configs_it_is_the_paired_t_test() -> None:
    a, b = [0.100, 0.104, 0.101], [0.103, 0.105, 0.103]
    found = seed_p_values({"a": dict(enumerate(a)), "b": dict(enumerate(b))})
    expected = stats.ttest_rel(b, a, alternative="greater").pvalue
    assert found == {"a": 1.0, "b": pytest.approx(expected)}


def test_the_scatter_is_pooled_over_all_configs() -> None:
    # parts of the configs 0, 1, 5 and of the seeds 0, 2; residuals of one cell pair each
    values = {"a": {0: 0.0, 1: 2.0}, "b": {0: 1.5, 1: 2.5}, "c": {0: 4.5, 1: 7.5}}
    # config means 1, 2, 6; seed means 2, 4; residuals are 0, .5 and .5, each twice
    variance = 4 * 0.5**2 / 2  # three configs and two seeds leave two degrees of freedom
    found = seed_p_values(values)
    for config, worse in (("b", 1.0), ("c", 5.0)):
        assert found[config] == pytest.approx(stats.t.sf(worse / np.sqrt(variance), 2))
    assert found["a"] == 1.0


def test_a_config_that_lacks_seeds_is_compared_on_those_that_it_has() -> None:
    whole = {0: 0.100, 1: 0.110, 2: 0.121}
    values = {"a": whole, "b": {s: r + 0.001 for s, r in whole.items()}, "c": {0: 0.108}}
    found = seed_p_values(values)
    assert found["c"] < 0.1  # worse on its one seed, although its RMSE is below the mean of a
    assert seed_p_values(values, "b")["a"] == 1.0


def test_too_few_values_tell_nothing_and_equal_values_no_difference() -> None:
    assert seed_p_values({"a": {0: 0.1}, "b": {0: 0.2}}) == {"a": 1.0, "b": 1.0}
    same = {seed: 0.1 for seed in range(3)}
    assert seed_p_values({"a": same, "b": same}) == {"a": 1.0, "b": 1.0}


def trials(*rmses: tuple[float, ...]) -> list[TrialRecord]:
    """Trials of configs with these RMSEs; the first RMSE of a config is that of the search."""
    return [
        record(100 * seed + i, rmse, learning_rate=1e-3 * (i + 1), seed=seed).model_copy(
            update={"further_seed": seed > 0}
        )
        for i, known in enumerate(rmses)
        for seed, rmse in enumerate(known)
    ]


def test_without_further_seeds_nothing_is_said() -> None:
    assert seeds_sentence(trials((0.1,), (0.2,))) is None
    assert seeds_sentence([]) is None


def test_a_small_difference_is_said_to_be_chance_and_a_large_one_to_be_clear() -> None:
    close = seeds_sentence(trials((0.100, 0.104, 0.102), (0.101, 0.102, 0.106)))
    assert close is not None and close.startswith(
        "its config has a mean validation RMSE of 0.1020 over 3 seeds; the next config, that of "
        "trial 00001, has 0.1030 over 3, a difference that chance may explain (paired test, p = "
    )
    far = seeds_sentence(trials((0.100, 0.101, 0.102), (0.103, 0.1042, 0.105)))
    assert far is not None and "a clear difference" in far


def test_a_single_seed_and_a_single_raced_config_are_named() -> None:
    late = [*trials((0.100, 0.104)), record(7, 0.09, learning_rate=0.05)]
    said = seeds_sentence(late)
    assert said is not None and said.startswith("its config has one seed, so its place may be")
    one = seeds_sentence(trials((0.100, 0.104), (0.101,)))
    assert one is not None and one.endswith("over 2 seeds; no other config has several seeds")
