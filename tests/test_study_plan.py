"""Plans: what a grid, a restriction and the published protocol make of trials' configs."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from galaxytune.grid import grid_choices, grid_points
from galaxytune.plan_checks import check_networks
from galaxytune.study_plan import StudyPlan, make_plan, with_absolute_files
from search_spaces.declaration.hyperparameters import hyperparameters

PLANS = Path(__file__).resolve().parents[1] / "plans"


def plan(**changes: Any) -> StudyPlan:
    values = {"name": "p", "architectures": ["simple_cnn"], "data": "x.npz", "epochs": 2}
    return make_plan(values | {} | changes)


def shipped(file: str, **changes: Any) -> StudyPlan:
    values = yaml.safe_load((PLANS / file).read_text())
    return make_plan(values | {"name": "p", "data": "x.npz"} | changes)


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


def test_a_grid_decides_the_number_of_trials() -> None:
    grid = {"seed": [0, 1], "learning_rate": [1e-3, 1e-2, 1e-4]}
    assert plan(grid=grid).trials == 6
    assert plan(grid=grid, architectures=["simple_cnn", "parallel_cnn"]).trials == 12
    with pytest.raises(ValueError, match="grid makes 6 trials, not 5"):
        plan(grid=grid, trials=5)


def test_a_grids_configs_are_the_published_one_but_for_its_keys() -> None:
    made = plan(grid={"constraint_coefficient": [0, 0.5]}, set={"dropout": 0.25})
    (first, config), (_, second) = made.grid_configs()
    assert first == {"constraint_coefficient": 0}
    assert (config.coefficients(), second.coefficients()) == ((0,) * 11, (0.5,) * 11)
    published = made.published_config("simple_cnn")
    assert second == published.model_copy(update={"constraint_coefficient": 0.5})


@pytest.mark.parametrize(
    ("grid", "told"),
    [
        ({"learning_rat": [1]}, "simple_cnn has no 'learning_rat'; did you mean 'learning_rate'"),
        ({"learning_rate": []}, "needs a list of values|greater than or equal to 1"),
        ({"learning_rate": [-1]}, "learning_rate: .*greater than 0"),
        ({"learning_rate": 3}, "grid must hold keys with lists of values"),
        ({"architecture": ["vgg16"]}, "'vgg16' is not among the plan's architectures"),
        ("seed", "grid must hold keys with lists of values"),
    ],
)
def test_a_wrong_grid_is_named_in_one_line(grid: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told) as error:
        plan(grid=grid)
    assert "\n" not in str(error.value)


def test_what_is_not_searched_keeps_its_default() -> None:
    made = plan(trials=3, search_only=["learning_rate", "dropout"])
    fixed = made.fixed_values("simple_cnn")
    searched = {h.name for h in hyperparameters(type(made.published_config("simple_cnn")))}
    assert searched - fixed.keys() == {"learning_rate", "dropout"}
    assert fixed["batch_size"] == 64
    with pytest.raises(ValueError, match="'dropuot' is not searched; did you mean 'dropout'"):
        plan(trials=3, search_only=["dropuot"])


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"search_only": ["weight_decay"], "trials": 3}, "used only with optimizer=adamw"),
        ({"search_only": ["constraint_coefficients"], "trials": 3}, "add --set coefficient_shar"),
        ({"grid": {"weight_decay": [0.1, 0.2]}}, "weight_decay is used only with optimizer=adamw"),
        ({"grid": {"seed": [0, 0]}}, "stands in it twice"),
        ({"grid": {"dropout": [0, 0.1]}, "set": {"dropout": 0.2}}, "both decide 'dropout'"),
        ({"grid": {"seed": [0, 1]}, "seed": 0}, "grid and --seed 0 both decide 'seed'"),
        ({"grid": {"epochs": [2, 4]}, "epochs": 3}, "grid and --epochs 3 both decide 'epochs'"),
    ],
)
def test_values_that_would_change_nothing_are_refused(changes: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        plan(**changes)


def test_a_grids_own_networks_are_checked_and_no_others() -> None:
    grid: dict[str, list[Any]] = {"weights": ["none"], "learning_rate": [1e-3, 1e-4]}
    check_networks(plan(architectures=["timm:test_vit"], grid=grid))
    grid["weights"].append("missing.pth")
    with pytest.raises(ValueError, match="no weight file"):
        check_networks(plan(architectures=["timm:test_vit"], grid=grid))


def test_stored_plans_hold_whole_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = plan(architectures=["timm:test_vit"], trials=1, set={"weights": "none"})
    changed = made.model_copy(update={"set": {"timm:test_vit.weights": "w.pth"}})
    stored = with_absolute_files(changed)
    assert stored.set == {"timm:test_vit.weights": str(tmp_path / "w.pth")}
    assert stored.data == str(tmp_path / "x.npz")
    assert with_absolute_files(made).set == {"weights": "none"}


def test_the_published_protocol_brings_the_notebooks_slips_and_split_back() -> None:
    made = plan(architectures=["vision_transformer", "vgg16"], trials=1, as_published=True,
                set={"weights": "none"})  # fmt: skip
    configs = [made.published_config(name) for name in made.architectures]
    assert made.split == "seed"
    assert {(c.tree, c.early_stopping_metric) for c in configs} == {("as_published", "val_loss")}
    assert all(c.model_dump()["as_published"] for c in configs)
    assert plan(trials=1, as_published=True, split="hash").split == "hash"
    assert plan(trials=1, as_published=True, set={"tree": "true"}).published_config(
        "simple_cnn"
    ).tree == "true"  # fmt: skip


def test_without_epochs_each_architecture_has_its_own() -> None:
    made = plan(architectures=["simple_cnn", "parallel_cnn"], trials=1, epochs=None)
    assert [made.published_config(n).epochs for n in made.architectures] == [30, 300]
    assert made.longest_epochs == 300


def test_the_constraints_plan_is_the_notebooks_grid_and_zero_by_both_trees() -> None:
    made = shipped("constraint_coefficient.yaml")
    grid = [0, 0.001, 0.01, 0.1, 0.2, 0.5, 1]
    configs = [c for _, c in made.grid_configs()]
    assert made.trials == 5 * (1 + 2 * 6)  # 0 is the same by either tree
    assert [c.tree for c in configs if c.constraint_coefficient == 0] == ["true"] * 5
    assert [c.seed for c in configs][:17] == [0, 1, 2, 3, 4] + [0] * 12  # seeds outermost
    assert {c.constraint_coefficient for _, c in made.grid_configs()} == set(grid)
    assert {c.tree for _, c in made.grid_configs()} == {"true", "as_published"}
    assert {c.seed for _, c in made.grid_configs()} == {0, 1, 2, 3, 4}
    assert (
        shipped("constraint_coefficient.yaml", epochs=3).published_config("simple_cnn").epochs == 3
    )


def test_the_eleven_coefficients_plan_searches_those_alone() -> None:
    made = shipped("eleven_coefficients.yaml")
    fixed = made.fixed_values("simple_cnn")
    assert fixed["coefficient_sharing"] == "per_question"
    assert "constraint_coefficients" not in fixed and "learning_rate" in fixed
    assert not made.halving


def test_the_four_architectures_plan_is_the_reports_protocol() -> None:
    weights = {"resnet50.weights": "none", "vgg16.weights": "none"}
    made = shipped("four_architectures.yaml", set=weights)
    configs = [c for _, c in made.grid_configs()]
    assert (made.trials, made.split) == (12, "seed")
    assert {(c.architecture, c.epochs) for c in configs} == {
        ("parallel_cnn", 300),
        ("vision_transformer", 300),
        ("resnet50", 50),
        ("vgg16", 50),
    }
    assert {c.batch_size for c in configs} == {128}
    assert {c.unfreeze for c in configs if hasattr(c, "unfreeze")} == {"head"}
