"""Configs: frozen, checked in one line, YAML and back, and drawn as they are declared."""

from pathlib import Path
from typing import Any

import optuna
import pytest

from search_spaces import architecture_names, config_class, config_from_values
from search_spaces.declaration.frozen_config import parse_settings, read_yaml, to_yaml
from search_spaces.declaration.hyperparameters import (
    hyperparameters,
    searched_values,
    suggest,
)

optuna.logging.set_verbosity(optuna.logging.WARNING)
everywhere = pytest.mark.parametrize("architecture", [*architecture_names(), "timm:resnet18"])
Drawn = tuple[optuna.Trial, dict[str, Any]]


def draw(architecture: str, num_trials: int = 20, **fixed: Any) -> list[Drawn]:
    """What Optuna's random sampler draws: each trial and the values it was given."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    trials = [study.ask() for _ in range(num_trials)]
    return [(t, suggest(t, config_class(architecture), fixed, prefix="x.")) for t in trials]


@everywhere
def test_published_config_survives_yaml(architecture: str, tmp_path: Path) -> None:
    config = config_class(architecture)(architecture=architecture)
    (tmp_path / "config.yaml").write_text(to_yaml(config))
    assert config_from_values(read_yaml(tmp_path / "config.yaml")) == config


@everywhere
def test_drawn_configs_survive_yaml(architecture: str, tmp_path: Path) -> None:
    for _, values in draw(architecture):
        config = config_from_values({"architecture": architecture, **values})
        (tmp_path / "config.yaml").write_text(to_yaml(config))
        assert config_from_values(read_yaml(tmp_path / "config.yaml")) == config


@everywhere
def test_a_config_is_frozen(architecture: str) -> None:
    config = config_class(architecture)(architecture=architecture)
    with pytest.raises(ValueError, match="frozen"):
        config.seed = 1


@everywhere
@pytest.mark.parametrize("sharing", ["shared", "per_question"])
def test_published_values_lie_inside_their_distributions(architecture: str, sharing: str) -> None:
    values = {"coefficient_sharing": sharing, "optimizer": "adamw", "schedule": "cosine"}
    config = config_from_values({"architecture": architecture, **values})
    published = searched_values(config, {}, prefix="")
    ranges = {e: p.distribution for p in hyperparameters(type(config)) for e in p.entries()}
    assert published
    for name, value in published.items():  # raises where the value lies outside
        optuna.create_trial(value=0, params={name: value}, distributions={name: ranges[name]})


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"learning_rat": 1}, "unknown key 'learning_rat'; did you mean 'learning_rate'?"),
        ({"xyzzy": 1}, "there are: adam_epsilon, architecture"),
        ({"batch_size": "many"}, "batch_size: .*valid integer.*got 'many'"),
        ({"epochs": 5.5}, "epochs: .*valid integer.*got 5.5"),
        ({"width": float("nan")}, "width: .*finite number, got nan"),
        ({"learning_rate": float("inf")}, "learning_rate: .*finite number, got inf"),
        ({"learning_rate": 0}, "learning_rate: .*greater than 0, got 0"),
        ({"rotation_degrees": 181}, "rotation_degrees: .*less than or equal to 180, got 181"),
        ({"optimizer": "sgd"}, "optimizer: .*'adam' or 'adamw', got 'sgd'"),
        ({"precision": "half"}, "precision: .*'float32' or 'bfloat16', got 'half'"),
        ({"constraint_coefficients": [0.1]}, "constraint_coefficients: .*at least 11 items"),
        ({"constraint_coefficients": [0.1] * 10 + [-1]}, r"coefficients\.10: .*or equal to 0"),
        ({"architecture": "simple_cn"}, "no architecture 'simple_cn'; did you mean 'simple_cnn'"),
        ({"architecture": "resnet"}, "no architecture 'resnet'; did you mean 'resnet50'"),
        ({"architecture": "maxout"}, "there are: parallel_cnn, resnet50, simple_cnn, timm:NAME"),
        ({"architecture": "timm:"}, "did you mean 'timm:NAME'"),
        ({"architecture": "vgg16:a"}, "no architecture 'vgg16:a'"),
    ],
)
def test_a_wrong_value_is_named_in_one_line(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told) as error:
        config_from_values({"architecture": "simple_cnn", **wrong})
    assert "\n" not in str(error.value)


def test_a_config_must_name_its_architecture() -> None:
    with pytest.raises(ValueError, match="does not name its architecture"):
        config_from_values({"seed": 1})


@everywhere
def test_conditional_fields_are_drawn_only_while_in_use(architecture: str) -> None:
    drawn = [values for _, values in draw(architecture, 30)]
    assert {v["optimizer"] for v in drawn} == {"adam", "adamw"}
    for values in drawn:
        assert ("weight_decay" in values) == (values["optimizer"] == "adamw")
        assert ("warmup_epochs" in values) == (values["schedule"] == "cosine")
        per_question = values["coefficient_sharing"] == "per_question"
        assert ("constraint_coefficients" in values) == per_question
        assert ("constraint_coefficient" in values) != per_question


@everywhere
def test_fixed_values_are_never_drawn(architecture: str) -> None:
    for trial, values in draw(architecture, learning_rate=0.5, optimizer="adamw"):
        assert (values["learning_rate"], values["optimizer"]) == (0.5, "adamw")
        assert not {"x.learning_rate", "x.optimizer"} & set(trial.params)
        assert "x.weight_decay" in trial.params


@everywhere
def test_a_coefficient_is_drawn_for_each_of_eleven_questions(architecture: str) -> None:
    ((trial, values),) = draw(architecture, 1, coefficient_sharing="per_question")
    names = [f"x.constraint_coefficients.{q}" for q in range(1, 12)]
    assert [n for n in trial.params if "constraint" in n] == names
    assert values["constraint_coefficients"] == tuple(trial.params[n] for n in names)
    assert len(set(values["constraint_coefficients"])) == 11


@everywhere
def test_enqueued_values_are_drawn_back_as_the_same_config(architecture: str) -> None:
    config = config_class(architecture)(architecture=architecture, seed=3)
    study = optuna.create_study()
    study.enqueue_trial(searched_values(config, {"seed": 3}, prefix="p."))
    values = suggest(study.ask(), type(config), {"seed": 3}, prefix="p.")
    assert config_from_values({"architecture": architecture, **values}) == config


@everywhere
def test_what_was_published_is_a_config(architecture: str) -> None:
    cls = config_class(architecture)
    published = config_from_values({**cls.PUBLISHED, "architecture": architecture})
    assert (published.tree, published.early_stopping_metric) == ("as_published", "val_loss")


def test_a_condition_may_name_several_values() -> None:
    for values in ({"unfreeze": u} for u in ("head", "last_stage", "all")):
        ((trial, _),) = draw("resnet50", 1, **values)
        assert ("x.layer_decay" in trial.params) == (values["unfreeze"] != "head")


def test_coefficients_in_use_follow_the_sharing() -> None:
    eleven = [i / 100 for i in range(11)]
    values = {"constraint_coefficient": 0.5, "constraint_coefficients": eleven}
    shared = config_from_values({"architecture": "simple_cnn", **values})
    each = shared.model_copy(update={"coefficient_sharing": "per_question"})
    assert shared.coefficients() == (0.5,) * 11
    assert each.coefficients() == tuple(eleven)


def test_settings_are_read_as_yaml() -> None:
    settings = ["learning_rate=3e-4", "flips=true", "epochs=7", "optimizer=adamw"]
    config = config_from_values({"architecture": "simple_cnn", **parse_settings(settings)})
    assert (config.learning_rate, config.flips) == (3e-4, True)
    assert (config.epochs, config.optimizer) == (7, "adamw")


@pytest.mark.parametrize("setting", ["learning_rate", "=3", "learning_rate=["])
def test_a_setting_that_is_none_is_refused(setting: str) -> None:
    with pytest.raises(ValueError, match="--set"):
        parse_settings([setting])


@pytest.mark.parametrize(
    ("text", "told"), [("- 1", "must hold keys"), ("a: [", "is not YAML"), (None, "no file")]
)
def test_an_unusable_yaml_file_is_named_in_one_line(
    text: str | None, told: str, tmp_path: Path
) -> None:
    path = tmp_path / "plan.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ValueError, match=told) as error:
        read_yaml(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)
