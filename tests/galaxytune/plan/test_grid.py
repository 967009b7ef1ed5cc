"""Grids: every combination of some values is one trial, and none is drawn."""

from typing import Any

import pytest

from galaxytune.plan.grid import grid_choices, grid_points
from galaxytune.plan.making import make_plan
from galaxytune.plan.study_plan import StudyPlan
from search_spaces.declaration.errors import InvalidInput


def plan(**changes: Any) -> StudyPlan:
    values = {"name": "p", "architectures": ["simple_cnn"], "data": "x.npz", "epochs": 2}
    return make_plan(values | changes)


def test_grid_points_are_all_combinations_the_last_key_fastest() -> None:
    points = grid_points(({"a": [1, 2], "b": [3, 4]}, {"a": [5]}))
    assert points == [
        {"a": 1, "b": 3},
        {"a": 1, "b": 4},
        {"a": 2, "b": 3},
        {"a": 2, "b": 4},
        {"a": 5},
    ]
    assert grid_choices(({"a": [1, 2]}, {"a": [2, 5]})) == {"a": [1, 2, 5]}


@pytest.mark.parametrize("given", ["adam", 5, True, {"a": 1}, [], ""])
def test_a_value_that_is_no_list_is_not_counted(given: Any) -> None:
    with pytest.raises(InvalidInput, match="^grid: optimizer needs a list of values"):
        plan(grid={"optimizer": given})


def test_a_grid_decides_the_number_of_trials() -> None:
    grid = {"seed": [0, 1], "learning_rate": [1e-3, 1e-2, 1e-4]}
    assert plan(grid=grid).trials == 6
    assert plan(grid=grid, architectures=["simple_cnn", "parallel_cnn"]).trials == 12
    with pytest.raises(InvalidInput, match="grid makes 6 trials, not 5"):
        plan(grid=grid, trials=5)


def test_a_grids_configs_are_the_published_one_but_for_its_keys() -> None:
    made = plan(grid={"constraint_coefficient": [0, 0.5]}, set={"dropout": 0.25})
    (first, config), (_, second) = made.grid_configs()
    assert first == {"constraint_coefficient": 0}
    assert (config.coefficients(), second.coefficients()) == ((0,) * 11, (0.5,) * 11)
    published = made.spaces["simple_cnn"].published
    assert second == published.model_copy(update={"constraint_coefficient": 0.5})


@pytest.mark.parametrize(
    ("grid", "told"),
    [
        ({"learning_rat": [1]}, "simple_cnn has no 'learning_rat'; did you mean 'learning_rate'"),
        ({"learning_rate": []}, "needs a list of values|greater than or equal to 1"),
        ({"learning_rate": [-1]}, "learning_rate: .*greater than 0"),
        ({"learning_rate": 3}, "learning_rate needs a list of values, such as \\[3\\], got 3"),
        ({"architecture": ["vgg16"]}, "'vgg16' is not among the plan's architectures"),
        ("seed", "grid must hold keys with lists of values"),
    ],
)
def test_a_wrong_grid_is_named_in_one_line(grid: Any, told: str) -> None:
    with pytest.raises(InvalidInput, match=told) as error:
        plan(grid=grid)
    assert "\n" not in str(error.value)
