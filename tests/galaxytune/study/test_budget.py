"""A study's budget: sums that need no look at every trial."""

import pytest

from galaxytune.plan.making import make_plan
from galaxytune.study.budget import Budget
from tests.support.records import curve, record


@pytest.mark.parametrize(
    ("limits", "reached"),
    [
        ({"max_device_hours": 21 / 3600}, None),
        ({"max_device_hours": 20 / 3600}, "0.00555556 device-hours are spent"),
        ({"plateau_trials": 3}, None),
        ({"plateau_trials": 2}, "no better trial among the last 2"),
        ({"target_rmse": 0.09}, None),
        ({"target_rmse": 0.1}, "validation RMSE 0.1000 reaches the target of 0.1"),
    ],
)
def test_a_budget_counts_what_earlier_drivers_spent(
    limits: dict[str, float], reached: str | None
) -> None:
    values = {"name": "s", "architectures": ["simple_cnn"], "data": "g.npz", "trials": 9}
    plan = make_plan(values | {"cpus_per_trial": 2.0} | limits)
    trials = [record(i, rmse) for i, rmse in enumerate((0.3, 0.1, 0.2, 0.15))]
    curves = [curve([0.3] * 4, seconds=1.0), curve([0.3] * 3, seconds=2.0)]  # 10 s of two cores
    assert Budget(plan, trials, curves).reached() == reached
    told_later = Budget(plan, trials[:2], curves[:1])
    for report in curves[1]:
        told_later.spend(report)
    for trial in trials[2:]:
        told_later.enter(trial)
    assert told_later.reached() == reached


def test_further_seeds_do_not_count_as_trials_without_a_better_one() -> None:
    values = {"name": "s", "architectures": ["simple_cnn"], "data": "g.npz", "trials": 40}
    plan = make_plan(values | {"epochs": 2, "plateau_trials": 2, "target_rmse": 0.05})
    seeds = [record(i, 0.2, seed=i).model_copy(update={"further_seed": True}) for i in (2, 3)]
    budget = Budget(plan, [record(0, 0.1), record(1, 0.2), *seeds], [])
    assert budget.reached() is None
    budget.enter(seeds[0].model_copy(update={"metrics": {"validation": {"rmse": 0.04}}}))
    assert budget.reached() == "validation RMSE 0.0400 reaches the target of 0.05"


def test_the_share_of_device_hours_is_told() -> None:
    values = {"name": "s", "architectures": ["simple_cnn"], "data": "g.npz", "trials": 9}
    limited = make_plan(values | {"epochs": 2, "max_device_hours": 40 / 3600})
    assert Budget(limited, [], [curve([0.3] * 10)]).device_share == pytest.approx(0.25)
    free = make_plan(values | {"epochs": 2})
    assert Budget(free, [], [curve([0.3] * 10)]).device_share == 0
