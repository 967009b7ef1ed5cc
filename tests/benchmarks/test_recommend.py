"""The choice of recommended configs from recordings."""

from typing import Any

import numpy as np
import pytest

from benchmarks.recommend import greedy, recommended
from benchmarks.replay.recorded_curves import RecordedCurves
from benchmarks.replay.search_plan import random_configs, search_plan, searched
from search_spaces.declaration import config_from_values


def test_the_first_config_is_good_everywhere_and_the_next_where_it_is_not() -> None:
    ranks = np.array(
        [
            [0.2, 0.0, 1.0, 0.3],
            [0.2, 1.0, 0.0, 0.3],
        ]
    )
    even = np.array([0.5, 0.5])
    assert greedy(ranks, even, 3) == [0, 1, 2]
    assert greedy(ranks, np.array([0.9, 0.1]), 2) == [1, 2]
    assert greedy(ranks, even, 9) == [0, 1, 2, 3]


def recording(architecture: str, best_rate: float) -> RecordedCurves:
    """Return made-up curves of 60 configs, the better the nearer the learning rate is to one."""
    plan = search_plan(architecture, trials=60, epochs=9)
    configs: list[dict[str, Any]] = [searched(c) for c in random_configs(plan, seed=0)]
    badness = np.array([abs(np.log10(config["learning_rate"] / best_rate)) for config in configs])
    rmse = 0.1 + 0.03 * badness[:, None] + 0.02 / np.arange(1, 10)
    return RecordedCurves(architecture, tuple(configs), rmse, np.ones(60))


@pytest.mark.parametrize("architecture", ["simple_cnn", "residual_cnn"])
def test_the_recommended_configs_are_good_and_lie_in_the_space(architecture: str) -> None:
    found = recommended(architecture, [recording("simple_cnn", 2e-3)], 4)
    assert len(found) == 4
    assert abs(np.log10(found[0]["learning_rate"] / 2e-3)) < 0.2
    for values in found:
        config_from_values({"architecture": architecture, **values})
    assert len({values["learning_rate"] for values in found}) == 4


def test_the_own_recording_counts_twice() -> None:
    both = [recording("simple_cnn", 5e-3), recording("residual_cnn", 6e-4)]
    simple, residual = (recommended(r.architecture, both, 2)[0]["learning_rate"] for r in both)
    assert simple > residual
