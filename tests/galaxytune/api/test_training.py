"""Making configs in Python."""

import pytest

from galaxytune.api.training import make_config
from search_spaces.declaration.errors import InvalidInput


def test_a_config_has_the_published_protocol_only_if_asked() -> None:
    assert make_config("simple_cnn").model_dump()["tree"] == "true"
    published = make_config("simple_cnn", protocol="published", width=0.5).model_dump()
    assert (published["tree"], published["width"]) == ("as_published", 0.5)


def test_an_architecture_is_a_name() -> None:
    with pytest.raises(InvalidInput, match="^an architecture must be a name, got 3$"):
        make_config(3)  # type: ignore[arg-type]


def test_an_unknown_protocol_is_refused() -> None:
    with pytest.raises(InvalidInput, match="^no protocol 'publshed'; did you mean 'published'"):
        make_config("simple_cnn", protocol="publshed")  # type: ignore[arg-type]


def test_an_architecture_is_given_once() -> None:
    values = {"architecture": "vgg16"}
    with pytest.raises(InvalidInput, match="^the architecture is given twice: 'simple_cnn'"):
        make_config("simple_cnn", **values)  # type: ignore[arg-type]
