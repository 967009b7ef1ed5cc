"""Trials of earlier studies as points of another search space."""

import math
from typing import Any

import numpy as np
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from galaxytune.plan import StudyPlan, make_plan
from galaxytune.sampling.carried_trials import CarriedTrials, nearest_coordinate
from galaxytune.sampling.search_cube import Axis, SearchCube
from galaxytune.study import EarlierTrial
from search_spaces.declaration import config_from_values


def earlier(
    number: int,
    rmse: float,
    *,
    study: str = "old",
    epochs: int = 9,
    trained: int = 9,
    **values: Any,
) -> EarlierTrial:
    """Return an earlier trial whose RMSE falls evenly to `rmse` in its last epoch."""
    config = config_from_values({"architecture": "simple_cnn", "epochs": epochs, **values})
    return EarlierTrial(
        study=study,
        trial=f"{number:05d}",
        values=config.model_dump(mode="json"),
        searched=("learning_rate", "dropout"),
        num_epochs=epochs,
        curve=tuple(rmse + 0.01 * (trained - e) for e in range(1, trained + 1)),
        is_whole=trained == epochs,
    )


def plan_of(architecture: str = "simple_cnn", **changes: Any) -> StudyPlan:
    values = {"name": "new", "data": "x.npz", "trials": 40, "epochs": 27}
    return make_plan({**values, "architectures": architecture, **changes})


def carried(*trials: EarlierTrial, architecture: str = "simple_cnn", **changes: Any) -> Any:
    return CarriedTrials(plan_of(architecture, **changes).spaces[architecture], trials)


@pytest.mark.parametrize(
    ("distribution", "value", "nearest"),
    [
        (FloatDistribution(1e-4, 1e-2, log=True), 1.0, 1e-2),
        (FloatDistribution(1e-4, 1e-2, log=True), 0, 1e-4),
        (IntDistribution(1, 3), 7, 3),
        (CategoricalDistribution((32, 64, 128)), 100, 128),
        (CategoricalDistribution(("adam", "adamw")), "adamw", "adamw"),
        (CategoricalDistribution((False, True)), True, True),
    ],
)
def test_a_value_counts_as_the_nearest_one(distribution: Any, value: Any, nearest: Any) -> None:
    axis = Axis("x", distribution)
    assert axis.value(nearest_coordinate(axis, value)) == pytest.approx(nearest)


@pytest.mark.parametrize(
    ("distribution", "value"),
    [
        (CategoricalDistribution(("adam", "adamw")), "sgd"),
        (CategoricalDistribution((32, 64)), "many"),
        (FloatDistribution(0.0, 1.0), "much"),
        (FloatDistribution(0.0, 1.0), True),
    ],
)
def test_a_word_that_is_not_among_the_choices_does_not_carry_over(
    distribution: Any, value: Any
) -> None:
    assert math.isnan(nearest_coordinate(Axis("x", distribution), value))


def test_the_best_configs_of_each_study_come_in_turns() -> None:
    trials = [
        earlier(0, 0.12, learning_rate=1e-3),
        earlier(1, 0.10, learning_rate=2e-3),
        earlier(2, 0.05, learning_rate=3e-3, trained=3),  # not whole
        earlier(0, 0.30, learning_rate=4e-3, study="other"),
    ]
    found = carried(*trials).best()
    assert [t.config.learning_rate for t in found] == pytest.approx([2e-3, 4e-3, 1e-3, 3e-3])
    assert {t.origin for t in found} == {"learned"}
    assert found[0].source == "trial 00001 of study old"
    assert {t.config.epochs for t in found} == {27}


def test_no_more_than_five_configs_are_tried_and_each_once() -> None:
    trials = [earlier(n, 0.1 + n / 100, dropout=0.05 * n) for n in range(8)]
    assert len(carried(*trials).best()) == 5
    assert len(carried(trials[0], trials[0]).best()) == 1
    # the fixed learning rate makes both configs the same
    same = [earlier(n, 0.1, learning_rate=10.0**-n) for n in (2, 3)]
    assert len(carried(*same, set={"learning_rate": 1e-3}).best()) == 1


def test_another_architecture_teaches_what_both_have() -> None:
    trials = [earlier(n, 0.1 - n / 100, learning_rate=2e-3 * n, dropout=0.1) for n in (1, 2)]
    found = carried(*trials, architecture="residual_cnn", search_only=["learning_rate", "depth"])
    assert found.coordinates.shape == (2, 2)
    assert np.isnan(found.coordinates[:, 1]).all()  # the simple CNN has no depth
    assert found.best()[0].config.learning_rate == pytest.approx(4e-3)
    assert found.best()[0].config.depth == 2  # the default
    (sentence,) = found.sentences()
    assert sentence == (
        "residual_cnn learns from 2 trials of study old (simple_cnn): 1 of 2 searched "
        "hyperparameters carry over; the study has no depth; dropout is not searched here"
    )


def test_values_outside_the_ranges_are_counted() -> None:
    found = carried(earlier(0, 0.1, learning_rate=1.0, batch_size=100), earlier(1, 0.2))
    assert found.sentences()[0].endswith(
        "; 2 values lie outside the ranges here and count as the nearest value"
    )
    first = found.best()[0].config
    assert (first.learning_rate, first.batch_size) == (1e-2, 128)


def test_a_condition_holds_for_what_carries_over() -> None:
    """The weight decay of an Adam is stored, but not in use."""
    found = carried(earlier(0, 0.1, optimizer="adam", weight_decay=0.02))
    cube = SearchCube(plan_of().spaces["simple_cnn"])
    values = cube.values(found.coordinates[0])
    assert values["simple_cnn.optimizer"] == "adam"
    assert "simple_cnn.weight_decay" not in values
