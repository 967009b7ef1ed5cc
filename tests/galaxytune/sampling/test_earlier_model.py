"""What the trials of earlier studies say about the configs of another study."""

from collections.abc import Sequence

import numpy as np
import pytest

from galaxytune.plan import make_plan
from galaxytune.sampling.carried_trials import CarriedTrials
from galaxytune.sampling.curve_sampler import CurveSampler
from galaxytune.sampling.earlier_model import EarlierModel
from galaxytune.sampling.failure_aware_sampler import FailureAwareSampler
from galaxytune.sampling.sampler import study_sampler
from galaxytune.sampling.search_cube import SearchCube
from galaxytune.study import EarlierTrial
from search_spaces.declaration import SearchSpace, config_from_values

PLAN = {"name": "p", "data": "x", "trials": 40, "epochs": 27, "architectures": "simple_cnn"}


def space_of(architecture: str = "simple_cnn") -> SearchSpace:
    plan = make_plan(PLAN | {"architectures": architecture, "search_only": ["learning_rate"]})
    return plan.spaces[architecture]


def study(
    rates: Sequence[float], *, name: str = "old", best: float = 2e-3, trained: int = 9
) -> list[EarlierTrial]:
    """Return trials of 9 epochs, the better the nearer their learning rate is to `best`."""
    trials = []
    for number, rate in enumerate(rates):
        config = config_from_values(
            {"architecture": "simple_cnn", "epochs": 9, "learning_rate": rate}
        )
        rmse = 0.1 + 0.02 * abs(np.log10(rate / best))
        trials.append(
            EarlierTrial(
                study=name,
                trial=f"{number:05d}",
                values=config.model_dump(mode="json"),
                searched=("learning_rate",),
                num_epochs=9,
                curve=tuple(rmse + 0.01 / epoch for epoch in range(1, trained + 1)),
                is_whole=trained == 9,
            )
        )
    return trials


RATES = tuple(np.logspace(-4, -2, 9))


@pytest.mark.parametrize("architecture", ["simple_cnn", "residual_cnn"])
@pytest.mark.parametrize("trained", [1, 9])
def test_the_prior_is_lowest_where_earlier_trials_were_best(
    architecture: str, trained: int
) -> None:
    space = space_of(architecture)
    cube = SearchCube(space)
    model = EarlierModel(CarriedTrials(space, study(RATES, trained=trained)), cube, [1, 3, 9, 27])
    axis = cube.axes[0]
    rates = np.logspace(-3.2, -2, 25)
    found = model(np.array([[axis.coordinate(rate)] for rate in rates]))
    assert found.shape == (25, 4)
    for rung in range(4):
        assert rates[np.argmin(found[:, rung])] == pytest.approx(2e-3, rel=0.3)


def test_two_studies_are_averaged() -> None:
    space = space_of()
    trials = study(RATES) + study(RATES, name="other", best=2e-4)
    cube = SearchCube(space)
    inputs = np.linspace(0, 1, 11)[:, None]
    models = [
        EarlierModel(CarriedTrials(space, part), cube, [1, 27])
        for part in (trials, trials[:9], trials[9:])
    ]
    both, first, second = (model(inputs) for model in models)
    np.testing.assert_allclose(both, (first + second) / 2)


def test_few_or_equal_trials_teach_nothing() -> None:
    space, cube = space_of(), SearchCube(space_of())
    for trials in (study(RATES[:4]), study([1e-3] * 9)):
        assert not EarlierModel(CarriedTrials(space, trials), cube, [1, 27]).teaches


def test_the_sampler_takes_the_prior_of_each_architecture() -> None:
    plan = make_plan(PLAN | {"architectures": ["simple_cnn", "residual_cnn"]})
    sampler = study_sampler(plan, earlier=study(RATES))
    assert isinstance(sampler, FailureAwareSampler)
    assert isinstance(sampler._sampler, CurveSampler)
    assert all(space.prior is not None for space in sampler._sampler._spaces.values())
    plain = study_sampler(plan)
    assert isinstance(plain, FailureAwareSampler) and isinstance(plain._sampler, CurveSampler)
    assert all(space.prior is None for space in plain._sampler._spaces.values())
