"""Frozen configs: checked in one line however they are made, YAML and back, never changed."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import Field

from search_spaces.declaration import InvalidInput, config_class, config_from_values, read_yaml
from search_spaces.declaration.frozen_config import FrozenConfig, to_yaml
from search_spaces.simple_cnn import Config as SimpleCNN
from search_spaces.timm import Config as Timm
from tests.support.architectures import drawn, every_architecture, space_of


@every_architecture
def test_published_config_survives_yaml(architecture: str, tmp_path: Path) -> None:
    config = config_class(architecture)(architecture=architecture)
    (tmp_path / "config.yaml").write_text(to_yaml(config))
    assert config_from_values(read_yaml(tmp_path / "config.yaml")) == config


@every_architecture
def test_drawn_configs_survive_yaml(architecture: str, tmp_path: Path) -> None:
    for _, config in drawn(space_of(architecture)):
        (tmp_path / "config.yaml").write_text(to_yaml(config))
        assert config_from_values(read_yaml(tmp_path / "config.yaml")) == config


@every_architecture
def test_a_config_is_frozen(architecture: str) -> None:
    config = config_class(architecture)(architecture=architecture)
    with pytest.raises(InvalidInput, match="cannot be set, because a Config is frozen"):
        config.seed = 1


def from_mapping(values: dict[str, Any]) -> FrozenConfig:
    """The config as a YAML file's values make it."""
    return config_from_values({"architecture": "simple_cnn", **values})


def constructed(values: dict[str, Any]) -> FrozenConfig:
    """The config as a notebook makes it."""
    return SimpleCNN(**values)


in_both_ways = pytest.mark.parametrize("make", [from_mapping, constructed])
Make = Callable[[dict[str, Any]], FrozenConfig]


@in_both_ways
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
    ],
)
def test_a_wrong_value_is_named_in_one_line(make: Make, wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidInput, match=told) as error:
        make(wrong)
    assert "\n" not in str(error.value)


@in_both_ways
@pytest.mark.parametrize("name", ["learning_rate", "epochs", "seed", "width", "dropout"])
@pytest.mark.parametrize("value", [True, False])
def test_a_truth_value_is_no_number(make: Make, name: str, value: bool) -> None:
    with pytest.raises(InvalidInput, match=f"^{name}: should be a number, got {value}$"):
        make({name: value})


class Limits(FrozenConfig):
    """Limits that may be missing, as a plan has them."""

    hours: Annotated[float, Field(gt=0)] | None = None


def test_nor_is_a_truth_value_a_number_that_may_be_missing() -> None:
    with pytest.raises(InvalidInput, match="^hours: should be a number, got True$"):
        Limits(hours=True)
    with pytest.raises(InvalidInput, match="^head_width: should be a number, got True$"):
        Timm(architecture="timm:resnet18", head_width=True)
    assert (Limits(hours=None).hours, Limits(hours=2).hours) == (None, 2.0)


@in_both_ways
def test_a_truth_value_is_taken_where_one_is_wanted(make: Make) -> None:
    values = make({"flips": False, "tree": True}).model_dump()
    assert (values["flips"], values["tree"]) == (False, "true")  # YAML's unquoted true


@in_both_ways
def test_a_missing_value_is_named(make: Make) -> None:
    with pytest.raises(InvalidInput, match="^'architecture' is missing$"):
        Timm(seed=1)  # type: ignore[call-arg]
    assert make({"seed": 1}) == SimpleCNN(seed=1)


@in_both_ways
def test_a_truth_value_among_numbers_is_refused(make: Make) -> None:
    with pytest.raises(InvalidInput, match="constraint_coefficients: should be a number, got Tr"):
        make({"constraint_coefficients": [True, *[0.1] * 10]})


def test_weights_of_a_user_that_is_not_there_are_refused() -> None:
    with pytest.raises(InvalidInput, match="weights: '~nobody-here/w.pth' has no home folder"):
        config_from_values({"architecture": "resnet50", "weights": "~nobody-here/w.pth"})
