"""What a plan must not ask for is refused before anything runs."""

from typing import Any

import pytest

from galaxytune.plan.checks import check_networks
from galaxytune.plan.making import make_plan
from galaxytune.plan.study_plan import StudyPlan
from search_spaces.declaration.annotations import hyperparameters
from search_spaces.declaration.errors import InvalidInput


def plan(**changes: Any) -> StudyPlan:
    values = {"name": "p", "architectures": ["simple_cnn"], "data": "x.npz", "epochs": 2}
    return make_plan(values | changes)


def test_what_is_not_searched_keeps_its_default() -> None:
    made = plan(trials=3, search_only=["learning_rate", "dropout"])
    space = made.spaces["simple_cnn"]
    assert {h.name for h in space.hyperparameters} == {"learning_rate", "dropout"}
    searched = {h.name for h in hyperparameters(space.config_class)}
    assert searched - space.fixed.keys() == {"learning_rate", "dropout"}
    assert space.fixed["batch_size"] == 64
    with pytest.raises(InvalidInput, match="'dropuot' is not searched; did you mean 'dropout'"):
        plan(trials=3, search_only=["dropuot"])


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"search_only": ["weight_decay"], "trials": 3}, "used only with optimizer=adamw"),
        ({"search_only": ["constraint_coefficients"], "trials": 3}, "add --set coefficient_shar"),
        ({"grid": {"weight_decay": [0.1, 0.2]}}, "weight_decay is used only with optimizer=adamw"),
        ({"grid": {"seed": [0, 0]}}, "is given twice"),
        ({"grid": {"seed": [0, 1]}, "search_only": ["dropout"]}, "a grid draws no value, so sea"),
        (
            {"search_only": ["dropout"], "set": {"dropout": 0.1}, "trials": 3},
            "search_only and --set both decide 'dropout'",
        ),
        ({"grace_epochs": 10, "trials": 3}, "grace_epochs 10 is above the 2 epochs of a trial"),
        ({"target_rmse": 8, "trials": 3}, "target_rmse must be below 1"),
        ({"grid": {"dropout": [0, 0.1]}, "set": {"dropout": 0.2}}, "both decide 'dropout'"),
        ({"grid": {"seed": [0, 1]}, "seed": 0}, "grid and --seed 0 both decide 'seed'"),
        ({"grid": {"epochs": [2, 4]}, "epochs": 3}, "grid and --epochs 3 both decide 'epochs'"),
    ],
)
def test_values_that_would_change_nothing_are_refused(changes: Any, told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        plan(**changes)


@pytest.mark.slow
def test_a_grids_own_networks_are_checked_and_no_others() -> None:
    grid: dict[str, list[Any]] = {"weights": ["none"], "learning_rate": [1e-3, 1e-4]}
    check_networks(plan(architectures=["timm:test_vit"], grid=grid))
    grid["weights"].append("missing.pth")
    with pytest.raises(InvalidInput, match="no weight file"):
        check_networks(plan(architectures=["timm:test_vit"], grid=grid))


def test_networks_that_do_not_stack_are_not_packed() -> None:
    with pytest.raises(InvalidInput, match="'resnet50' cannot be trained as a pack, got 3"):
        plan(architectures=["simple_cnn", "resnet50"], trials=6, pack=3)
