"""How many trials of a search are kept for further seeds."""

from typing import Any

import pytest

from galaxytune.plan.making import make_plan
from galaxytune.plan.study_plan import StudyPlan
from galaxytune.racing.seed_budget import most_seed_trials, num_seed_trials


def plan_of(**given: Any) -> StudyPlan:
    values = {"name": "p", "architectures": ["simple_cnn"], "data": "x.npz", "epochs": 10}
    return make_plan(values | given)


@pytest.mark.parametrize(
    ("given", "most"),
    [
        ({"trials": 100}, 20),
        ({"trials": 100, "seed_share": 0.29}, 29),
        ({"trials": 20}, 4),
        ({"trials": 19}, 0),  # three trials would be too few
        ({"trials": 100, "seed_share": 0}, 0),
        ({"trials": 100, "objective": "rmse_and_residual"}, 0),
        ({"grid": {"seed": list(range(40))}}, 0),
    ],
)
def test_a_fifth_of_the_trials_is_kept_if_that_is_enough(given: dict[str, Any], most: int) -> None:
    assert most_seed_trials(plan_of(**given)) == most


def test_further_seeds_take_no_more_than_their_share_of_the_epochs() -> None:
    plan = plan_of(trials=100)
    assert num_seed_trials(plan, 80 * 10) == 20  # all were trained whole
    assert num_seed_trials(plan, 250) == 6  # 60 epochs are a fifth of 310; 70 would be more
    assert num_seed_trials(plan, 100) == 4  # fewer could not compare two configs
    assert num_seed_trials(plan_of(trials=19), 1000) == 0
