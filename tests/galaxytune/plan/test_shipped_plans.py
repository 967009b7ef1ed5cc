"""The plan files in plans/ ask for what the student project and its report did."""

from pathlib import Path
from typing import Any

import yaml

from galaxytune.plan.making import make_plan
from galaxytune.plan.study_plan import StudyPlan

PLANS = Path(__file__).resolve().parents[3] / "plans"


def shipped(file: str, **changes: Any) -> StudyPlan:
    values = yaml.safe_load((PLANS / file).read_text())
    return make_plan(values | {"name": "p", "data": "x.npz"} | changes)


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
    shorter = shipped("constraint_coefficient.yaml", epochs=3)
    assert shorter.spaces["simple_cnn"].published.epochs == 3


def test_the_eleven_coefficients_plan_searches_those_alone() -> None:
    made = shipped("eleven_coefficients.yaml")
    fixed = made.spaces["simple_cnn"].fixed
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


def test_the_plans_for_a_good_small_network_tune_weights_that_need_no_download() -> None:
    lite = "timm:tf_efficientnet_lite2"
    long, short = shipped("best_small.yaml"), shipped("best_small_30_minutes.yaml")
    first = long.spaces[lite].published
    assert (first.head, first.resampling, first.calibration, first.kept_weights) == (
        "tree_softmax",
        "none",
        "votes",
        "averaged",
    )
    assert not long.stops_early
    assert [config.seed for _, config in short.grid_configs()] == [0, 1]
    alike = {"seed": 0, "epochs": 10, "head_dropout": 0.1}
    assert {c.model_copy(update=alike) for _, c in short.grid_configs()} == {first}
