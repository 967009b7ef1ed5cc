"""All architectures, their search spaces, and configs that a random sampler draws of them."""

from typing import Any

import optuna
import pytest

from search_spaces.declaration import (
    SearchSpace,
    TrainingProtocol,
    architecture_names,
    config_class,
)

ARCHITECTURES = (*architecture_names(), "timm:resnet18")  # one of each module in search_spaces
every_architecture = pytest.mark.parametrize("architecture", ARCHITECTURES)


def space_of(architecture: str, **fixed: Any) -> SearchSpace:
    """Return the search space of an architecture of which these values are held fixed."""
    return SearchSpace(config_class(architecture), {"architecture": architecture, **fixed})


def drawn(
    space: SearchSpace, num_trials: int = 20, *, seed: int = 0
) -> list[tuple[optuna.Trial, TrainingProtocol]]:
    """Return trials of Optuna's random sampler, each with the config that the space drew."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    trials = [study.ask() for _ in range(num_trials)]
    return [(trial, space.draw(trial)) for trial in trials]
