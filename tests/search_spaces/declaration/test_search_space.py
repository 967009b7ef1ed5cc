"""Search spaces: drawn as they are declared, and every config leads back to what was drawn."""

from collections.abc import Mapping
from typing import Any, ClassVar

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution

from search_spaces.declaration import InvalidInput, config_class, config_from_values
from search_spaces.declaration.annotations import shaping_fields, used_values
from search_spaces.declaration.known_architectures import architecture_names
from search_spaces.declaration.search_space import SearchSpace, pack_refusal
from search_spaces.simple_cnn import Config as SimpleCNN
from tests.support.architectures import ARCHITECTURES, drawn, every_architecture, space_of

STACKING = [name for name in architecture_names() if config_class(name).STACKS]


@every_architecture
def test_conditional_fields_are_drawn_only_while_in_use(architecture: str) -> None:
    found = drawn(space_of(architecture), 30)
    assert {config.optimizer for _, config in found} == {"adam", "adamw"}
    for trial, config in found:
        names = {name.removeprefix(f"{architecture}.") for name in trial.params}
        assert ("weight_decay" in names) == (config.optimizer == "adamw")
        assert ("warmup_epochs" in names) == (config.schedule == "cosine")
        has_coefficients = config.head == "sigmoid"  # a condition on a conditional field
        assert ("coefficient_sharing" in names) == has_coefficients
        per_question = config.coefficient_sharing == "per_question"
        assert ("constraint_coefficients.1" in names) == (has_coefficients and per_question)
        assert ("constraint_coefficient" in names) == (has_coefficients and not per_question)


@every_architecture
def test_fixed_values_are_never_drawn(architecture: str) -> None:
    for trial, config in drawn(space_of(architecture, learning_rate=0.5, optimizer="adamw")):
        assert (config.learning_rate, config.optimizer) == (0.5, "adamw")
        names = {name.removeprefix(f"{architecture}.") for name in trial.params}
        assert not {"learning_rate", "optimizer"} & names
        assert "weight_decay" in names


@every_architecture
def test_a_coefficient_is_drawn_for_each_of_eleven_questions(architecture: str) -> None:
    ((trial, config),) = drawn(
        space_of(architecture, head="sigmoid", coefficient_sharing="per_question"), 1
    )
    names = [f"{architecture}.constraint_coefficients.{q}" for q in range(1, 12)]
    assert [n for n in trial.params if "constraint" in n] == names
    assert config.constraint_coefficients == tuple(trial.params[n] for n in names)
    assert len(set(config.constraint_coefficients)) == 11


def test_a_condition_may_name_several_values() -> None:
    for unfreeze in ("head", "last_stage", "all"):
        ((trial, _),) = drawn(space_of("resnet50", unfreeze=unfreeze), 1)
        assert ("resnet50.layer_decay" in trial.params) == (unfreeze != "head")


@every_architecture
def test_params_and_distributions_are_those_that_led_to_a_config(architecture: str) -> None:
    for fixed in ({}, {"optimizer": "adamw", "batch_size": 64}):
        space = space_of(architecture, **fixed)
        for trial, config in drawn(space):
            assert space.params(config) == trial.params
            assert space.distributions(config) == trial.distributions


@every_architecture
def test_enqueued_params_are_drawn_back_as_the_same_config(architecture: str) -> None:
    space = space_of(architecture, seed=3)
    configs = [space.published, *(config for _, config in drawn(space, 10))]
    study = optuna.create_study()
    for config in configs:
        study.enqueue_trial(space.params(config))
    assert space.draw(study.ask(), published=True) == space.published
    assert [space.draw(study.ask()) for _ in configs[1:]] == configs[1:]
    assert {config.seed for config in configs} == {3}


def test_only_the_published_config_lacks_the_constants_of_a_search() -> None:
    space = space_of("simple_cnn")
    assert space.constants == {
        "output_bias": "votes",
        "resampling": "votes",
        "calibration": "votes",
    }
    assert space.published.output_bias == "zero"
    configs = [config for _, config in drawn(space, 5)] + list(space.recommended)
    assert {config.output_bias for config in configs} == {"votes"}
    assert "output_bias" not in {h.name for h in space.hyperparameters}
    held = space_of("simple_cnn", output_bias="zero")
    assert held.constants == {"resampling": "votes", "calibration": "votes"}
    assert {config.output_bias for _, config in drawn(held, 2)} == {"zero"}


def test_two_architectures_of_one_study_share_no_parameter() -> None:
    names = [set(drawn(space_of(name), 1)[0][0].params) for name in ARCHITECTURES]
    assert sum(map(len, names)) == len(set.union(*names))


def test_the_published_config_holds_the_fixed_values() -> None:
    space = space_of("parallel_cnn", epochs=7)
    published = space.published
    assert published == config_class("parallel_cnn")(architecture="parallel_cnn", epochs=7)
    assert space.architecture == "parallel_cnn" and space.prefix == "parallel_cnn."


@pytest.mark.parametrize("values", [{"learning_rat": 1}, {"dropout": 2}])
def test_a_wrong_fixed_value_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match=f"{next(iter(values))}"):
        _ = space_of("simple_cnn", **values).published
    with pytest.raises(InvalidInput, match=f"{next(iter(values))}"):
        space_of("simple_cnn").config(values)


# recommended configs


class Recommending(SimpleCNN):
    """A simple CNN that recommends something."""

    RECOMMENDED: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {"learning_rate": 3e-3},
        {"learning_rate": 3e-3, "batch_size": 32},
        {"batch_size": 32, "dropout": 0.2},
        {"learning_rate": 1e-3},  # as published
    )


def recommended(**fixed: Any) -> list[dict[str, Any]]:
    """Return, for each recommended config, the values that differ from the published config."""
    space = SearchSpace(Recommending, {"architecture": "simple_cnn", **fixed})
    published = space.published.model_dump()
    return [
        {
            name: value
            for name, value in config.model_dump().items()
            if value != published[name] and name not in space.constants
        }
        for config in space.recommended
    ]


def test_recommended_configs_come_in_their_order_without_the_published_one() -> None:
    assert recommended() == [
        {"learning_rate": 3e-3},
        {"learning_rate": 3e-3, "batch_size": 32},
        {"batch_size": 32, "dropout": 0.2},
    ]


def test_fixed_values_stand_in_recommended_configs() -> None:
    assert recommended(learning_rate=0.01) == [
        {"batch_size": 32},
        {"batch_size": 32, "dropout": 0.2},
    ]
    space = SearchSpace(Recommending, {"architecture": "simple_cnn", "learning_rate": 0.01})
    assert {config.learning_rate for config in space.recommended} == {0.01}


def test_recommended_configs_that_differ_in_fixed_fields_alone_are_one() -> None:
    assert recommended(batch_size=64) == [{"learning_rate": 3e-3}, {"dropout": 0.2}]
    assert recommended(batch_size=64, dropout=0.1) == [{"learning_rate": 3e-3}]


def test_a_recommendation_outside_of_an_older_space_is_left_out() -> None:
    searched = {
        "batch_size": CategoricalDistribution((32, 64)),
        "dropout": FloatDistribution(0, 1),
    }
    space = SearchSpace(Recommending, {"architecture": "simple_cnn"}, searched)
    (found,) = space.recommended
    assert isinstance(found, Recommending)
    assert (found.batch_size, found.dropout) == (32, 0.2)


def test_a_wrong_recommendation_is_refused() -> None:
    class Mistaken(SimpleCNN):
        RECOMMENDED: ClassVar[tuple[Mapping[str, Any], ...]] = ({"learning_rat": 1},)

    with pytest.raises(InvalidInput, match="did you mean 'learning_rate'"):
        _ = SearchSpace(Mistaken, {"architecture": "simple_cnn"}).recommended


@every_architecture
def test_what_an_architecture_recommends_lies_within_its_ranges(architecture: str) -> None:
    space = space_of(architecture)
    for config in space.recommended:
        params, ranges = space.params(config), space.distributions(config)
        optuna.create_trial(value=0, params=params, distributions=ranges)


# packs


TIMM = "timm:resnet18.a1_in1k"  # a dot in the name must not cut the names of parameters
HEADED = {"batch_size", "head"}  # what shapes every network


@pytest.mark.parametrize(
    ("name", "values", "shaping"),
    [
        ("simple_cnn", {"coefficient_sharing": "per_question"}, HEADED),
        ("vision_transformer", {}, {*HEADED, "depth", "patch_side", "output_activation"}),
        (TIMM, {}, {*HEADED, "learning_rate", "unfreeze", "pooling"}),
        (
            TIMM,
            {"unfreeze": "all"},
            {*HEADED, "learning_rate", "unfreeze", "pooling", "layer_decay"},
        ),
        (TIMM, {"pooling": "avg"}, {*HEADED, "learning_rate", "unfreeze", "pooling"}),
    ],
)
def test_shaping_params_are_those_in_which_a_pack_agrees(
    name: str, values: dict[str, Any], shaping: set[str]
) -> None:
    space = space_of(name)
    config = space.config(values)
    params = space.params(config)
    assert space.shaping_params(config) == {f"{name}.{n}": params[f"{name}.{n}"] for n in shaping}


@every_architecture
def test_configs_with_the_same_shaping_params_are_one_pack(architecture: str) -> None:
    space = space_of(architecture)
    first, *others = [config for _, config in drawn(space, 30)]
    for other in [*others, first.model_copy(update={"seed": 7})]:
        alike = space.shaping_params(first) == space.shaping_params(other)
        refused = pack_refusal([first, other])
        assert (refused is None) == (alike and type(first).STACKS)


@pytest.mark.parametrize("name", STACKING)
def test_what_may_differ_within_a_pack_changes_no_shape(name: str) -> None:
    """The fields in which a pack must agree are those that shape the network, and no more."""
    shaping = {"architecture", "batch_size", "head", "input_side", "precision", "width"}
    if name == "residual_cnn":
        shaping |= {"depth"}
    if name == "vision_transformer":
        shaping |= {"depth", "patch_side", "num_heads", "as_published", "output_activation"}
    assert set(shaping_fields(config_class(name))) == shaping


def test_a_pack_is_refused_in_one_line() -> None:
    simple, wide, parallel, frozen = (
        config_from_values(values)
        for values in (
            {"architecture": "simple_cnn"},
            {"architecture": "simple_cnn", "width": 0.5, "learning_rate": 0.1},
            {"architecture": "parallel_cnn"},
            {"architecture": "resnet50"},
        )
    )
    assert pack_refusal([simple, simple.model_copy(update={"seed": 1, "dropout": 0.3})]) is None
    assert pack_refusal([simple, wide]) == "a pack's configs must agree in width, got 1.0 and 0.5"
    assert pack_refusal([simple, parallel]) == (
        "a pack holds one architecture, got 'simple_cnn' and 'parallel_cnn'"
    )
    assert "'resnet50' cannot be trained as a pack" in str(pack_refusal([frozen, frozen]))


def test_the_values_in_use_are_those_whose_conditions_all_hold() -> None:
    every = set(SimpleCNN.model_fields)
    ignored = every - set(used_values(SimpleCNN()))
    assert ignored == {
        "weight_decay",
        "warmup_epochs",
        "averaging_epochs",
        "constraint_coefficients",
    }
    # the shared coefficient needs coefficient_sharing, which itself needs the head "sigmoid"
    tree = used_values(SimpleCNN(head="tree_softmax", optimizer="adamw"))
    assert "weight_decay" in tree and tree["head"] == "tree_softmax"
    assert not {"coefficient_sharing", "constraint_coefficient"} & set(tree)
