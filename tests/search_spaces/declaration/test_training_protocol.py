"""The shared hyperparameters: published values within their ranges, coefficients as shared."""

import optuna
import pytest

from search_spaces.declaration import config_from_values
from tests.support.architectures import every_architecture, space_of


@every_architecture
@pytest.mark.parametrize("sharing", ["shared", "per_question"])
def test_published_values_lie_inside_their_distributions(architecture: str, sharing: str) -> None:
    values = {"coefficient_sharing": sharing, "optimizer": "adamw", "schedule": "cosine"}
    space = space_of(architecture)
    config = space.config(values)
    published, ranges = space.params(config), space.distributions(config)
    assert published
    for name, value in published.items():  # raises where the value lies outside
        optuna.create_trial(value=0, params={name: value}, distributions={name: ranges[name]})


def test_coefficients_in_use_follow_the_sharing() -> None:
    eleven = [i / 100 for i in range(11)]
    values = {"constraint_coefficient": 0.5, "constraint_coefficients": eleven}
    shared = config_from_values({"architecture": "simple_cnn", **values})
    each = shared.model_copy(update={"coefficient_sharing": "per_question"})
    assert shared.coefficients() == (0.5,) * 11
    assert each.coefficients() == tuple(eleven)
