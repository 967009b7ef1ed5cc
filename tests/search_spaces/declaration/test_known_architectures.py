"""Architectures: found by the name of their module, and an unknown name told the nearest."""

import pytest

from search_spaces.declaration import InvalidInput, TrainingProtocol
from search_spaces.declaration.known_architectures import (
    architecture_names,
    config_class,
    config_from_values,
    family_names,
    module_name,
)
from search_spaces.timm import Config as Timm
from tests.support.architectures import ARCHITECTURES, every_architecture


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("simple_cn", "no architecture 'simple_cn'; did you mean 'simple_cnn'"),
        ("resnet", "no architecture 'resnet'; did you mean 'resnet50'"),
        ("maxout", "there are: parallel_cnn, residual_cnn, resnet50, simple_cnn, timm:NAME"),
        ("timm:", "did you mean 'timm:NAME'"),
        ("vgg16:a", "no architecture 'vgg16:a'"),
    ],
)
def test_an_unknown_name_is_told_in_one_line(name: str, told: str) -> None:
    with pytest.raises(InvalidInput, match=told) as error:
        config_from_values({"architecture": name})
    assert "\n" not in str(error.value)


def test_a_config_must_name_its_architecture() -> None:
    with pytest.raises(InvalidInput, match="does not name its architecture"):
        config_from_values({"seed": 1})


def test_every_module_is_an_architecture_or_a_family() -> None:
    assert architecture_names() == sorted(architecture_names())
    assert {module_name(name) for name in ARCHITECTURES} == {
        *architecture_names(),
        *family_names(),
    }
    assert family_names() == ["timm"]


@every_architecture
def test_a_config_is_of_the_class_that_its_name_selects(architecture: str) -> None:
    config = config_from_values({"architecture": architecture})
    assert type(config) is config_class(architecture)
    assert isinstance(config, TrainingProtocol) and config.architecture == architecture


def test_a_member_of_a_family_keeps_its_whole_name() -> None:
    config = config_from_values({"architecture": "timm:resnet18.a1_in1k"})
    assert isinstance(config, Timm) and config.architecture == "timm:resnet18.a1_in1k"


@every_architecture
def test_what_was_published_is_a_config(architecture: str) -> None:
    cls = config_class(architecture)
    published = config_from_values({**cls.PUBLISHED, "architecture": architecture})
    assert (published.tree, published.early_stopping_metric) == ("as_published", "val_loss")
