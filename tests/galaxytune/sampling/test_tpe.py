"""Quick TPE draws what Optuna's TPE draws: its densities are Optuna's, and so are its choices."""

import random
import warnings
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.samplers._tpe.parzen_estimator import _ParzenEstimator, _ParzenEstimatorParameters
from optuna.samplers._tpe.sampler import default_weights
from optuna.trial import TrialState

from galaxytune.plan.making import make_plan
from galaxytune.sampling.failure_aware_sampler import FailureAwareSampler
from galaxytune.sampling.parzen import parzen_estimate
from galaxytune.sampling.proposals import draw_config
from galaxytune.sampling.sampler import study_sampler
from galaxytune.sampling.tpe import QuickTPESampler

PARAMETERS = _ParzenEstimatorParameters(
    prior_weight=1.0,
    consider_magic_clip=True,
    consider_endpoints=False,
    weights=default_weights,
    multivariate=False,
)
DISTRIBUTIONS = {
    "linear": FloatDistribution(-1, 3),
    "logarithmic": FloatDistribution(1e-5, 0.1, log=True),
    "stepped": FloatDistribution(0, 1, step=0.1),
    "whole": IntDistribution(1, 40),
    "whole and logarithmic": IntDistribution(1, 400, log=True),
    "choice": CategoricalDistribution("abcd"),
}


@pytest.mark.parametrize("name", DISTRIBUTIONS)
@pytest.mark.parametrize("num_seen", [0, 1, 2, 5, 30, 225])
def test_an_estimate_is_optunas(name: str, num_seen: int) -> None:
    distribution = DISTRIBUTIONS[name]
    drawn = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=num_seen))
    values = (drawn.ask({"x": distribution}).params["x"] for _ in range(num_seen))
    seen = np.array([distribution.to_internal_repr(value) for value in values], float)
    theirs = _ParzenEstimator({"x": seen}, {"x": distribution}, PARAMETERS)
    ours = parzen_estimate(seen, distribution)
    candidates = theirs.sample(np.random.RandomState(1), 200)["x"]
    assert np.allclose(ours.draw(np.random.RandomState(1), 200), candidates, rtol=1e-9)
    constant = ours.log_density(candidates) - theirs.log_pdf({"x": candidates})
    assert np.ptp(constant) < 1e-9


def draws(
    sampler: BaseSampler, num_objectives: int, *, has_ties: bool = False
) -> list[dict[str, Any]]:
    """What five workers at once draw in 60 trials, most parameters being conditional.

    Choices and narrow ranges only where `has_ties`: there two candidates may be as likely as each
    other, and rounding chooses.
    """
    chance = random.Random(0)
    study = optuna.create_study(sampler=sampler, directions=["minimize"] * num_objectives)
    drawn, running = [], []
    for _ in range(60):
        trial = study.ask()
        if trial.suggest_float("x", 0, 1) > 0.3:
            trial.suggest_float("y", 1e-4, 1, log=True)
            if has_ties:
                trial.suggest_categorical("kind", ["a", "b"])
        for name in "pqrs":
            if chance.random() < 0.2:
                trial.suggest_int(name, 1, 5 if has_ties else 5000)
        drawn.append(trial.params)
        running.append(trial)
        if len(running) == 5:
            value = chance.random()
            told = running.pop(chance.randrange(5))
            if num_objectives == 1 and value < 0.5:
                told.report(value, 1)
                study.tell(told, state=TrialState.PRUNED)
            else:
                study.tell(told, [value] * num_objectives)
    return drawn


@pytest.mark.parametrize("num_objectives", [1, 2])
def test_a_short_study_draws_as_optuna_alone_does(num_objectives: int) -> None:
    optuna_alone = draws(TPESampler(seed=0, multivariate=False), num_objectives)
    drawn = draws(QuickTPESampler(seed=0), num_objectives)
    assert [set(params) for params in drawn] == [set(params) for params in optuna_alone]
    for ours, theirs in zip(drawn, optuna_alone):
        assert ours == pytest.approx(theirs, rel=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("in_groups", [False, True])
@pytest.mark.parametrize("num_objectives", [1, 2])
def test_in_a_short_study_the_penalising_sampler_changes_nothing(
    num_objectives: int, in_groups: bool
) -> None:
    def stock() -> BaseSampler:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return TPESampler(seed=0, multivariate=in_groups, group=in_groups)

    for alone, shown in ((stock(), stock()), (QuickTPESampler(seed=0), QuickTPESampler(seed=0))):
        expected = draws(alone, num_objectives, has_ties=True)
        assert draws(FailureAwareSampler(shown), num_objectives, has_ties=True) == expected


@pytest.mark.slow
def test_a_study_goes_on_to_draw_a_quarter_of_its_trials_at_random() -> None:
    def drawn(sampler: BaseSampler) -> list[float]:
        study = optuna.create_study(sampler=sampler)
        study.optimize(lambda trial: abs(trial.suggest_float("x", 0, 1) - 0.7), n_trials=200)
        return [trial.params["x"] for trial in study.get_trials()]

    asked = {"name": "one", "data": "g.npz", "trials": 200, "seed": 0}
    plan = make_plan({**asked, "architectures": ["simple_cnn"]})
    random_draws = drawn(RandomSampler(seed=0))
    draws = drawn(study_sampler(plan))
    assert draws[:10] == random_draws[:10]
    num_random = len(set(draws[10:]) & set(random_draws))
    assert 190 * 0.15 < num_random < 190 * 0.35
    assert set(drawn(QuickTPESampler(seed=0))[10:]).isdisjoint(random_draws)


def test_two_objectives_go_on_after_a_trial_was_stopped() -> None:
    asked = {"objective": "rmse_and_residual", "architectures": ["simple_cnn"], "trials": 40}
    plan = make_plan({**asked, "name": "two", "data": "g.npz"})
    study = optuna.create_study(sampler=study_sampler(plan), directions=["minimize"] * 2)
    for number in range(30):
        trial = draw_config(study.ask(), plan)
        if number % 3 == 0:
            study.tell(trial, [0.1 + number / 100, 0.2])
            continue
        # as OptunaJournal does; Trial.report refuses with two objectives
        study._storage.set_trial_intermediate_value(trial._trial_id, 1, 0.3)
        study.tell(trial, state=TrialState.PRUNED)
    states = [trial.state for trial in study.get_trials()]
    assert states.count(TrialState.PRUNED) == 20


def test_what_cannot_be_estimated_is_an_error() -> None:
    class Odd(BaseDistribution):
        def to_internal_repr(self, param_value_in_external_repr: object) -> float:
            return 0.0

        def to_external_repr(self, param_value_in_internal_repr: float) -> object:
            return None

        def single(self) -> bool:
            return True

        def _contains(self, param_value_in_internal_repr: float) -> bool:
            return True

    with pytest.raises(TypeError, match="no estimate of"):
        parzen_estimate(np.empty(0), Odd())
