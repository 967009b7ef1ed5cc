"""Which configs are trained again with fresh seeds, and what is said of the outcome."""

from galaxytune.driver.confirmation import (
    ConfirmedTrial,
    best_configs,
    confirmation_plan,
    verdict,
)
from tests.support.records import record
from tests.support.studies import BeginStudy


def confirmed(trial_id: str, searched: float, values: tuple[float, ...]) -> ConfirmedTrial:
    return ConfirmedTrial(
        id=trial_id,
        architecture="simple_cnn",
        searched_val_rmse=searched,
        mean_val_rmse=sum(values) / len(values),
        interval_95=None,
        val_rmse_by_seed=values,
        num_failed=0,
    )


def test_the_verdict_says_whether_the_ranking_changed() -> None:
    lucky = confirmed("00001", 0.10, (0.14, 0.15))
    steady = confirmed("00002", 0.11, (0.11, 0.12))
    assert "the ranking changed: trial 00002" in verdict([steady, lucky], "00001")
    assert "the winner stays first: trial 00001" in verdict(
        [confirmed("00001", 0.10, (0.10, 0.10)), steady], "00001"
    )


def test_the_winner_of_a_race_need_not_have_the_lowest_searched_rmse() -> None:
    lucky = confirmed("00001", 0.10, (0.14, 0.15))
    steady = confirmed("00002", 0.11, (0.11, 0.12))
    assert verdict([steady, lucky], "00002").startswith("the winner stays first: trial 00002")


def test_trials_that_differ_in_the_seed_alone_are_confirmed_once() -> None:
    trials = [record(0, 0.1, seed=0), record(1, 0.2, seed=1), record(2, 0.3, learning_rate=0.01)]
    assert [r.id for r in best_configs(trials, 5)] == ["00000", "00002"]


def test_the_weights_of_all_trainings_are_kept_within_the_studys_quota(
    begin_study: BeginStudy,
) -> None:
    study = begin_study(checkpoint_quota_gb=2.5)
    chosen = [record(0, 0.1), record(1, 0.2, learning_rate=0.01)]
    plan = confirmation_plan(study.plan, chosen, num_seeds=4)
    assert (plan.name, plan.trials, plan.keep_checkpoints) == ("s-confirm-4", 8, 8)
    assert plan.checkpoint_quota_gb == 2.5
