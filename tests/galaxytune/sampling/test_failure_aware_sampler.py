"""The sampler that learns from trials whose config made them fail."""

import optuna
from optuna.trial import TrialState

from galaxytune.sampling.failure_aware_sampler import BLAMED, FailureAwareSampler


def penalised(sampler: optuna.samplers.BaseSampler) -> list[float]:
    """What a study draws after 30 trials whose config was blamed wherever x > .5."""
    study = optuna.create_study(sampler=sampler)
    drawn = []
    for number in range(60):
        trial = study.ask()
        x = trial.suggest_float("x", 0, 1)
        if x > 0.5:
            trial.set_user_attr(BLAMED, True)
            study.tell(trial, state=TrialState.FAIL)
        else:
            study.tell(trial, 0.2)
        drawn += [x] if number >= 30 else []
    return drawn


def test_configs_that_fail_are_avoided_where_optuna_alone_returns_to_them() -> None:
    tpe = optuna.samplers.TPESampler(seed=0)
    ours = penalised(FailureAwareSampler(optuna.samplers.TPESampler(seed=0)))
    plain = penalised(tpe)
    assert sum(x > 0.5 for x in ours) < sum(x > 0.5 for x in plain) / 2


def test_blamed_trials_stay_failed_in_the_storage() -> None:
    study = optuna.create_study(sampler=FailureAwareSampler(optuna.samplers.RandomSampler(seed=0)))
    trial = study.ask()
    trial.suggest_float("x", 0, 1)
    trial.set_user_attr(BLAMED, True)
    study.tell(trial, state=TrialState.FAIL)
    study.ask().suggest_float("x", 0, 1)
    assert study.trials[0].state == TrialState.FAIL and study.trials[0].values is None
