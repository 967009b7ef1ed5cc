"""A plan's keys: what they make of trials' configs, and that a plan checks itself."""

import re
from typing import Any

import pytest

from galaxytune.plan.making import make_plan
from galaxytune.plan.study_plan import StudyPlan
from search_spaces.declaration.errors import InvalidInput


def plan(**changes: Any) -> StudyPlan:
    values = {"name": "p", "architectures": ["simple_cnn"], "data": "x.npz", "epochs": 2}
    return make_plan(values | changes)


def test_the_published_protocol_brings_the_notebooks_slips_and_split_back() -> None:
    made = plan(architectures=["vision_transformer", "vgg16"], trials=1, as_published=True,
                set={"weights": "none"})  # fmt: skip
    configs = [space.published for space in made.spaces.values()]
    assert made.split == "seed"
    assert {(c.tree, c.early_stopping_metric) for c in configs} == {("as_published", "val_loss")}
    assert all(c.model_dump()["as_published"] for c in configs)
    assert plan(trials=1, as_published=True, split="hash").split == "hash"
    told = plan(trials=1, as_published=True, set={"tree": "true"})
    assert told.spaces["simple_cnn"].published.tree == "true"


def test_without_epochs_each_architecture_has_its_own() -> None:
    made = plan(architectures=["simple_cnn", "parallel_cnn"], trials=1, epochs=None)
    assert [space.published.epochs for space in made.spaces.values()] == [30, 300]
    assert made.longest_epochs == 300


@pytest.mark.parametrize("given", [1, 0, "x", 2.5, True])
def test_a_pack_is_auto_off_or_a_number_from_2(given: Any) -> None:
    with pytest.raises(InvalidInput, match="^pack: should be auto, off or a number from 2, got"):
        plan(trials=6, pack=given)


RIGHT: dict[str, Any] = {
    "name": "p",
    "architectures": ("simple_cnn",),
    "data": "x.npz",
    "trials": 3,
    "epochs": 2,
}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"trials": 0}, "trials: Input should be greater than or equal to 1, got 0"),
        ({"trials": 10**30}, "trials: Input should be less than or equal to 1000000, got 1000"),
        ({"epochs": 10**12}, "epochs: Input should be less than or equal to 1000000, got 1000"),
        ({"seed": 2**32}, "seed: Input should be less than 4294967296, got 4294967296"),
        ({"max_retries": -1}, "max_retries: Input should be greater than or equal to 0, got -1"),
        ({"max_hours": 0}, "max_hours: Input should be greater than 0, got 0"),
        ({"cpus_per_trial": 1e-9}, "cpus_per_trial must be at least 0.001, got 1e-09"),
        ({"gpus_per_trial": 1e-9}, "gpus_per_trial must be at least 0.001, got 1e-09"),
        ({"data": ""}, "a path is empty"),
        ({"data": "x" * 300}, "a name in a path has 300 bytes"),
        ({"name": "a/b"}, "name: String should match pattern"),
        ({"name": "a" * 81}, "name: String should have at most 80 characters"),
        ({"name": "a b"}, "name: String should match pattern"),
        ({"trails": 3}, "unknown key 'trails'; did you mean 'trials'?"),
        (
            {"architectures": ("simple_cn",)},
            "no architecture 'simple_cn'; did you mean 'simple_cn",
        ),
        ({"set": {"learning_rate": -1}}, "learning_rate: Input should be greater than 0, got -1"),
        ({"set": {"epochs": 3}}, "--set epochs: the plan itself decides it, use its own option"),
        ({"max_hours": float("nan")}, "max_hours: Input should be a finite number, got nan"),
        ({"seed": True}, "seed: should be a number, got True"),
        ({"gpus_per_trial": 1.5}, "gpus_per_trial above 1 must be whole, got 1.5"),
        ({"grid": ({"seed": [0, 1]},)}, "this plan's grid makes 2 trials, not 3"),
    ],
)
def test_a_plan_with_a_wrong_value_is_refused_in_one_line(
    changes: dict[str, Any], told: str
) -> None:
    with pytest.raises(InvalidInput, match=f"^{re.escape(told)}") as error:
        StudyPlan(**(RIGHT | changes))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("missing", ["name", "architectures", "data", "trials"])
def test_a_plan_that_lacks_a_key_names_the_key(missing: str) -> None:
    values = {key: value for key, value in RIGHT.items() if key != missing}
    with pytest.raises(InvalidInput, match=f"^'{missing}' is missing$"):
        StudyPlan(**values)


def test_a_plan_made_of_its_keys_is_the_plan_of_a_mapping() -> None:
    assert StudyPlan(**RIGHT) == make_plan(RIGHT)


def test_the_search_spaces_of_a_plan_are_resolved_once() -> None:
    made = StudyPlan(**(RIGHT | {"architectures": ("simple_cnn", "parallel_cnn")}))
    assert list(made.spaces) == ["simple_cnn", "parallel_cnn"]
    assert made.spaces is made.spaces
    space = made.spaces["simple_cnn"]
    assert space.published is space.published
    assert space.hyperparameters is space.hyperparameters


def test_a_single_name_is_a_list_of_one() -> None:
    made = make_plan(RIGHT | {"architectures": "simple_cnn", "search_only": "dropout"})
    assert (made.architectures, made.search_only) == (("simple_cnn",), ("dropout",))
