"""A search space as a cube: what is drawn in it are configs, and places are values."""

import math
from typing import Annotated, Any

import numpy as np
import optuna
import pytest
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from galaxytune.plan.making import make_plan
from galaxytune.plan.study_plan import StudyPlan
from galaxytune.sampling.proposals import draw_config
from galaxytune.sampling.search_cube import Axis, SearchCube
from search_spaces.declaration.annotations import OnlyIf
from search_spaces.declaration.search_space import SearchSpace
from search_spaces.declaration.training_protocol import TrainingProtocol

ARCHITECTURES = ["simple_cnn", "parallel_cnn", "vision_transformer", "vgg16", "resnet50"]


def plan_of(architecture: str, **given: Any) -> StudyPlan:
    return make_plan(
        {"name": "t", "architectures": [architecture], "data": "none", "trials": 9, **given}
    )


def cube_of(architecture: str, **given: Any) -> SearchCube:
    return SearchCube(plan_of(architecture, **given).spaces[architecture])


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_what_is_drawn_is_a_config_of_which_optuna_asks_nothing_more(architecture: str) -> None:
    cube, chance = cube_of(architecture), np.random.default_rng(0)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    anywhere = cube.draw(chance, 20)
    for places in [*anywhere, *cube.near(chance, anywhere, 20)]:
        values = cube.values(places)
        study.enqueue_trial(values)
        trial = draw_config(study.ask(), plan_of(architecture))
        assert trial.params == values
        assert all(isinstance(v, (bool, int, float, str)) for v in values.values())
        assert not any(isinstance(v, np.generic) for v in values.values())


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_trials_places_lead_back_to_its_values(architecture: str) -> None:
    cube, plan = cube_of(architecture), plan_of(architecture)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(20):
        params = draw_config(study.ask(), plan).params
        back = cube.values(cube.coordinates(params))
        assert back.keys() == params.keys()
        for name, value in params.items():
            assert back[name] == (pytest.approx(value) if isinstance(value, float) else value)


def test_what_is_fixed_is_no_axis_nor_what_it_rules_out() -> None:
    names = [axis.name for axis in cube_of("simple_cnn").axes]
    assert {"simple_cnn.schedule", "simple_cnn.warmup_epochs"} <= set(names)
    constant = cube_of("simple_cnn", set={"schedule": "constant"})
    left = [axis.name for axis in constant.axes]
    assert set(names) - set(left) == {"simple_cnn.schedule", "simple_cnn.warmup_epochs"}
    cosine = [axis.name for axis in cube_of("simple_cnn", set={"schedule": "cosine"}).axes]
    assert set(names) - set(cosine) == {"simple_cnn.schedule"}


def test_what_is_not_in_use_tells_a_model_nothing() -> None:
    cube = cube_of("simple_cnn")
    names = [axis.name for axis in cube.axes]
    places = cube.draw(np.random.default_rng(0), 2)
    places[:] = places[0]
    warmup, schedule = (names.index(f"simple_cnn.{n}") for n in ("warmup_epochs", "schedule"))
    places[:, schedule] = cube.axes[schedule].coordinate("constant")
    places[:, warmup] = 0.0, 1.0
    assert np.array_equal(*cube.inputs(places))
    places[:, schedule] = cube.axes[schedule].coordinate("cosine")
    assert not np.array_equal(*cube.inputs(places))


def test_words_that_have_no_order_are_a_column_each() -> None:
    cube = cube_of("resnet50")
    words = [axis for axis in cube.axes if axis.is_of_words]
    assert [axis.distribution for axis in words] == [
        CategoricalDistribution(("sigmoid", "tree_softmax", "tree_softplus")),
        CategoricalDistribution(("head", "last_stage", "all")),
    ]
    coordinates = cube.inputs(cube.draw(np.random.default_rng(0), 50))
    assert coordinates.shape == (50, len(cube.axes) + 4)


def test_values_that_are_held_are_in_every_config() -> None:
    cube, chance = cube_of("simple_cnn"), np.random.default_rng(0)
    held = {"simple_cnn.batch_size": 64, "another.learning_rate": 1.0}
    for places in cube.hold(cube.draw(chance, 30), held):
        assert cube.values(places)["simple_cnn.batch_size"] == 64


def test_configs_near_another_share_most_of_it() -> None:
    cube, chance = cube_of("simple_cnn"), np.random.default_rng(0)
    centre = cube.draw(chance, 1)
    near = cube.near(chance, centre, 500)
    assert 0.5 < np.mean(near == centre) < 0.9
    assert np.median(abs(near - centre)[near != centre]) < 0.2
    assert near.min() >= 0 and near.max() <= 1


def test_a_centre_without_a_value_gets_any() -> None:
    cube, chance = cube_of("simple_cnn"), np.random.default_rng(0)
    near = cube.near(chance, np.full((1, len(cube.axes)), math.nan), 2000)
    assert not np.isnan(near).any()
    warmup = [axis.name for axis in cube.axes].index("simple_cnn.warmup_epochs")
    shares = [np.mean(near[:, warmup] == level) for level in np.linspace(0, 1, 4)]
    assert shares == pytest.approx([0.25] * 4, abs=0.05)


class Chained(TrainingProtocol):
    """Conditions on what is itself conditional, on a value out of range, and on a later field."""

    architecture: str = "c"
    deep: Annotated[bool, CategoricalDistribution((False, True))] = False
    kind: Annotated[str, CategoricalDistribution(("a", "b")), OnlyIf("deep", True)] = "b"
    rate: Annotated[float, FloatDistribution(0, 1), OnlyIf("kind", "b", "z")] = 0.5
    width: Annotated[int, IntDistribution(1, 4), OnlyIf("late", True)] = 2
    late: Annotated[bool, CategoricalDistribution((False, True))] = False


@pytest.mark.parametrize("fixed", [{}, {"deep": False}, {"deep": True}, {"late": True}], ids=str)
def test_it_asks_for_what_optuna_asks_for(fixed: dict[str, Any]) -> None:
    space = SearchSpace(Chained, {"architecture": "c", **fixed})
    cube, chance = SearchCube(space), np.random.default_rng(0)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for places in cube.draw(chance, 40):
        values = cube.values(places)
        study.enqueue_trial(values)
        trial = study.ask()
        space.draw(trial)
        assert trial.params == values


@pytest.mark.parametrize(
    "distribution",
    [
        FloatDistribution(1e-4, 1e-1, log=True),
        FloatDistribution(-1, 3),
        FloatDistribution(0, 1, step=0.25),
        FloatDistribution(2, 2),
        IntDistribution(1, 9, step=2),
        IntDistribution(1, 100, log=True),
        IntDistribution(3, 3),
        CategoricalDistribution((128, 32, 64)),
        CategoricalDistribution(("only",)),
    ],
    ids=str,
)
def test_an_axis_draws_as_optuna_does(distribution: BaseDistribution) -> None:
    axis = Axis("x", distribution)
    drawn = axis.draw(np.random.default_rng(0), 4000)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    theirs = [axis.coordinate(study.ask({"x": distribution}).params["x"]) for _ in range(1000)]
    deciles = np.linspace(0.1, 0.9, 9)
    spread = abs(
        np.mean(drawn[:, None] <= np.quantile(theirs, deciles), axis=0)
        - np.mean(np.array(theirs)[:, None] <= np.quantile(theirs, deciles), axis=0)
    )
    assert spread.max() < 0.06
    values = [axis.value(place) for place in drawn[:50]]
    assert [axis.coordinate(value) for value in values] == pytest.approx(list(drawn[:50]))
    assert all(distribution._contains(distribution.to_internal_repr(v)) for v in values)


def test_numbers_to_choose_from_stand_in_their_order() -> None:
    axis = Axis("x", CategoricalDistribution((128, 32, 64)))
    assert [axis.coordinate(value) for value in (32, 64, 128)] == [0, 0.5, 1]
