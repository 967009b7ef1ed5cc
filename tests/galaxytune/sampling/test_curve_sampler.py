"""The sampler that models learning curves, in real Optuna studies."""

import math
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution
from optuna.trial import FrozenTrial, Trial, TrialState
from scipy import integrate, stats

from galaxytune.halving.grace_period import first_grace
from galaxytune.halving.rungs import Rungs
from galaxytune.plan.making import make_plan
from galaxytune.plan.study_plan import StudyPlan
from galaxytune.sampling.curve_sampler import MOST_MODELLED, CurveSampler
from galaxytune.sampling.failure_aware_sampler import BLAMED, FailureAwareSampler
from galaxytune.sampling.proposals import ARCHITECTURE, draw_config, enqueue_like
from galaxytune.sampling.rung_model import Prediction, RungModel
from galaxytune.sampling.rung_values import RungValues, values_at
from galaxytune.sampling.sampler import study_sampler
from search_spaces.declaration.known_architectures import config_from_values


def plan_of(*architectures: str, **given: Any) -> StudyPlan:
    return make_plan(
        {
            "name": "t",
            "architectures": architectures or ["simple_cnn"],
            "data": "none",
            "trials": 100,
            "epochs": 27,
            **given,
        }
    )


def study_of(plan: StudyPlan) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna.create_study(
        sampler=study_sampler(plan), directions=["minimize"] * (1 + plan.has_two_objectives)
    )


def badness(trial: Trial) -> float:
    """Least, 0, at a learning rate of .001 and a dropout of .1."""
    known = {name.partition(".")[2]: value for name, value in trial.params.items()}
    return abs(math.log10(known.get("learning_rate", 1e-3)) + 3) + abs(
        known.get("dropout", 0.1) - 0.1
    )


def tell(study: optuna.Study, trial: Trial, epochs: int) -> None:
    """A curve that ends where the config is as good as it is; the trial ends with it."""
    for epoch in range(1, epochs + 1):
        trial.report(0.1 + 0.05 * badness(trial) + 0.05 / epoch, epoch)
    if epochs == 27:
        study.tell(trial, 0.1 + 0.05 * badness(trial) + 0.05 / 27)
    else:
        study.tell(trial, state=TrialState.PRUNED)


def searched(plan: StudyPlan, count: int) -> list[Trial]:
    """So many trials, all drawn and told; every third is trained to the end."""
    study, trials = study_of(plan), []
    for number in range(count):
        trials.append(draw_config(study.ask(), plan))
        tell(study, trials[-1], 27 if number % 3 == 0 else 3)
    return trials


@pytest.mark.slow
def test_it_comes_closer_than_chance_does() -> None:
    modelled = [min(map(badness, searched(plan_of(seed=s), 40)[20:])) for s in range(4)]
    random = [min(map(badness, searched(plan_of(seed=s), 20))) for s in range(4)]
    assert np.median(modelled) < np.median(random) / 2


def test_its_draws_follow_from_the_seed_and_go_on_where_a_driver_ended() -> None:
    first, again = (searched(plan_of(), 15) for _ in range(2))
    assert [t.params for t in first] == [t.params for t in again]
    study = study_of(plan_of())
    study.add_trials([t.study.trials[t.number] for t in first])
    study.sampler = study_sampler(plan_of(), num_drawn=15)
    after = draw_config(study.ask(), plan_of()).params
    assert after not in [t.params for t in first]


def modelled(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the model drew, as it comes."""
    drawn: list[dict[str, Any]] = []
    own = CurveSampler._draw

    def noted(self: CurveSampler, *given: Any) -> dict[str, Any]:
        found = own(self, *given)
        drawn.extend([found] if found else [])
        return found

    monkeypatch.setattr(CurveSampler, "_draw", noted)
    return drawn


@pytest.mark.slow
def test_a_model_draws_three_quarters_after_the_first_ten(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = modelled(monkeypatch)
    searched(plan_of(), 10)
    assert not drawn
    searched(plan_of(), 50)
    assert 20 <= len(drawn) <= 38


@pytest.mark.parametrize(
    "given", [{"objective": "rmse_and_residual"}, {"max_tree_residual": 0.01}], ids=str
)
def test_two_aims_are_tpes(given: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    drawn, plan = modelled(monkeypatch), plan_of(**given)
    study = study_of(plan)
    for _ in range(30):
        trial = draw_config(study.ask(), plan)
        study._storage.set_trial_intermediate_value(trial._trial_id, 1, badness(trial))
        study.tell(trial, [badness(trial), 0.1][: len(study.directions)])
    assert not drawn


@pytest.mark.slow
def test_many_trials_are_tpes(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn, plan = modelled(monkeypatch), plan_of(set={"coefficient_sharing": "shared"})
    study = study_of(plan)
    other = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(MOST_MODELLED):
        trial = draw_config(other.ask(), plan)
        tell(other, trial, 3)
    study.add_trials(other.trials[:-20])
    for _ in range(10):
        tell(study, draw_config(study.ask(), plan), 1)
    assert drawn
    study.add_trials(other.trials[-20:])
    drawn.clear()
    for _ in range(10):
        tell(study, draw_config(study.ask(), plan), 1)
    assert not drawn


@pytest.mark.slow
def test_each_architecture_has_a_model_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    plan, own, numbers = plan_of("simple_cnn", "vision_transformer"), RungModel.fit, []

    def noted(self: RungModel, coordinates: Any, *given: Any) -> None:
        numbers.append((coordinates.shape[1], len(coordinates)))
        own(self, coordinates, *given)

    monkeypatch.setattr(RungModel, "fit", noted)
    trials = searched(plan, 70)
    for trial in trials:
        names = {name.partition(".")[0] for name in trial.params} - {ARCHITECTURE}
        assert names == {trial.params[ARCHITECTURE]}
    known = {width: max(n for w, n in numbers if w == width) for width, _ in numbers}
    assert len(known) == 2 and sum(known.values()) <= len(trials)


def test_what_a_pack_shares_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn, plan = modelled(monkeypatch), plan_of()
    study = study_of(plan)
    for _ in range(20):
        tell(study, draw_config(study.ask(), plan), 3)
    drawn.clear()
    like = config_from_values(draw_config(study.ask(), plan).user_attrs["config"])
    pack = []
    for _ in range(6):
        enqueue_like(study, plan, like)
        pack.append(draw_config(study.ask(), plan))
    assert len(drawn) > 2
    assert {t.user_attrs["config"]["batch_size"] for t in pack} == {like.batch_size}
    assert len({tuple(t.params.items()) for t in pack}) == 6


@pytest.mark.slow
def test_the_model_draws_what_goes_with_values_that_are_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn, plan = modelled(monkeypatch), plan_of()
    study = study_of(plan)
    for number in range(60):
        schedule = "constant" if number < 30 else "cosine"
        study.enqueue_trial({"simple_cnn.schedule": schedule})
        num_drawn = len(drawn)
        trial = draw_config(study.ask(), plan)
        tell(study, trial, 3)
        assert trial.params["simple_cnn.schedule"] == schedule
        if len(drawn) > num_drawn:
            assert drawn[-1].keys() == trial.params.keys()


def test_a_trial_that_is_drawn_again_keeps_what_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn, plan = modelled(monkeypatch), plan_of("simple_cnn", "vision_transformer")
    study = study_of(plan)
    for _ in range(40):
        tell(study, draw_config(study.ask(), plan), 3)
    num_fitting, choice = 0, CategoricalDistribution(plan.architectures)
    for number in range(20):
        trial = study.ask()
        study._storage.set_trial_param(trial._trial_id, ARCHITECTURE, number % 2, choice)
        drawn.clear()
        again = draw_config(Trial(study, trial._trial_id), plan)
        if drawn:
            assert drawn[0].keys() == again.params.keys() - {ARCHITECTURE}
            num_fitting += 1
    assert num_fitting > 8


def test_an_architecture_of_which_nothing_is_searched_has_no_model() -> None:
    plan = plan_of("simple_cnn", "vision_transformer", search_only=["depth"])
    assert {t.params[ARCHITECTURE] for t in searched(plan, 30)} == set(plan.architectures)


@pytest.mark.parametrize("names", [["simple_cnn"], ["parallel_cnn"], ["simple_cnn", "resnet50"]])
@pytest.mark.parametrize("grace_epochs", [None, 2, 20])
def test_trials_are_compared_where_they_pause(names: list[str], grace_epochs: int | None) -> None:
    plan = plan_of(*names, epochs=None, grace_epochs=grace_epochs)
    sampler = study_sampler(plan)._sampler  # type: ignore[attr-defined]
    grace = grace_epochs or first_grace(plan.longest_epochs)
    pauses = Rungs(grace_epochs=grace, reduction_factor=3, max_epochs=plan.longest_epochs).counts
    for name in names:
        *rungs, last = sampler._spaces[name].rungs
        assert last == plan.spaces[name].published.epochs
        assert rungs == [epoch for epoch in pauses if epoch < last]


def test_a_trial_on_its_way_to_the_first_rung_is_waited_for() -> None:
    plan = plan_of(epochs=300)
    space = study_sampler(plan)._sampler._spaces["simple_cnn"]  # type: ignore[attr-defined]
    study, shown = study_of(plan), []

    class Listening(optuna.samplers.RandomSampler):
        def sample_relative(self, study: Any, trial: Any, search_space: Any) -> dict[str, Any]:
            shown.append(study._get_trials(deepcopy=False))
            return {}

        def infer_relative_search_space(self, study: Any, trial: Any) -> dict[str, Any]:
            return {"x": optuna.distributions.FloatDistribution(0, 1)}

    study.sampler = FailureAwareSampler(Listening(seed=0))
    for epochs in (11, 5, 0):
        trial = draw_config(study.ask(), plan)
        for epoch in range(1, epochs + 1):
            trial.report(0.2, epoch)
    study.ask().suggest_float("x", 0, 1)
    seen = RungValues([t for t in shown[-1] if "x" not in t.params][:3], space.cube, space.rungs)
    assert len(seen.values) == 1 and len(seen.waiting) == 2


@pytest.mark.parametrize("only", [["learning_rate"], ["learning_rate", "dropout"]], ids=str)
def test_no_config_is_drawn_twice(only: list[str]) -> None:
    trials = searched(plan_of(search_only=only), 60)
    assert len({tuple(sorted(t.params.items())) for t in trials}) == 60


@pytest.mark.slow
def test_where_training_diverges_it_does_not_stay() -> None:
    plan = plan_of(set={"coefficient_sharing": "shared"})
    study, failed = study_of(plan), []
    for _ in range(70):
        trial = draw_config(study.ask(), plan)
        failed.append(trial.params["simple_cnn.learning_rate"] > 3e-3)
        if failed[-1]:
            trial.set_user_attr(BLAMED, True)
            study.tell(trial, state=TrialState.FAIL)
        else:
            tell(study, trial, 3)
    assert np.mean(failed[30:]) < 0.2  # a quarter would fail of random ones


def test_a_study_in_which_all_diverge_goes_on() -> None:
    plan, study = plan_of(), study_of(plan_of())
    for _ in range(25):
        trial = draw_config(study.ask(), plan)
        trial.set_user_attr(BLAMED, True)
        study.tell(trial, state=TrialState.FAIL)
    assert len({t.params["simple_cnn.learning_rate"] for t in study.trials}) == 25


def frozen(state: TrialState, *curve: float, **attributes: Any) -> FrozenTrial:
    return optuna.create_trial(
        state=state,
        value=min(curve) if state == TrialState.COMPLETE else None,
        intermediate_values=dict(enumerate(curve, start=1)),
        user_attrs=attributes,
    )


def test_a_trials_values_are_the_lowest_by_each_rung_that_it_came_to() -> None:
    rungs = [1, 3, 9]
    paused = frozen(TrialState.PRUNED, 0.3, 0.1, 0.2, 0.05)
    assert values_at(paused, rungs) == pytest.approx(np.log([0.3, 0.1]))
    early = frozen(TrialState.COMPLETE, 0.3, 0.1)
    assert values_at(early, rungs) == pytest.approx(np.log([0.3, 0.1, 0.1]))
    assert values_at(frozen(TrialState.PRUNED), rungs) == []
    assert values_at(frozen(TrialState.PRUNED, 0.3, **{BLAMED: True}), rungs) == []
    assert math.isfinite(values_at(frozen(TrialState.PRUNED, 0.0), rungs)[0])
    assert values_at(frozen(TrialState.PRUNED, math.inf, 0.2), rungs) == []


def test_the_expected_improvement_is_the_integral() -> None:
    mean, variance = np.array([0.0, 1.0, 3.0]), np.array([1.0, 0.25, 2.0])
    found = np.exp(Prediction(mean, variance, 0.5).log_improvement())
    for ours, middle, spread in zip(found, mean, np.sqrt(variance)):
        theirs, _ = integrate.quad(
            lambda y, m, s: (0.5 - y) * stats.norm.pdf(y, m, s), -20, 0.5, (middle, spread)
        )
        assert ours == pytest.approx(theirs, rel=1e-6)


def test_what_is_hardly_expected_to_improve_is_ranked_all_the_same() -> None:
    below = np.linspace(-40, 3, 4001)
    ranks = Prediction(-below, np.ones(4001), 0.0).log_improvement()
    assert (np.diff(ranks) > 0).all()
    far = Prediction(np.array([50.0, 100.0]), np.ones(2), 0.0).log_improvement()
    assert np.isfinite(far).all()
