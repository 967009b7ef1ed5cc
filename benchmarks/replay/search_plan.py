"""The search that is recorded and replayed: one architecture's declared space, nothing fixed."""

from collections.abc import Mapping
from typing import Any

import optuna
from optuna.samplers import RandomSampler

from galaxytune.plan import StudyPlan, make_plan
from galaxytune.sampling import enqueue_first
from search_spaces.declaration import SearchSpace, TrainingProtocol, config_class


def search_plan(architecture: str, *, trials: int, epochs: int, seed: int = 0) -> StudyPlan:
    """Return the plan of a search without data; InvalidInput for an unknown architecture."""
    return make_plan(
        {
            "name": "replay",
            "architectures": [architecture],
            "data": "none",
            "trials": trials,
            "epochs": epochs,
            "seed": seed,
        }
    )


def search_space(architecture: str) -> SearchSpace:
    """Return the declared search space of an architecture, with nothing held fixed."""
    return SearchSpace(config_class(architecture), {"architecture": architecture})


def quiet_study(sampler: optuna.samplers.BaseSampler, **arguments: Any) -> optuna.Study:
    """Return an Optuna study in memory that minimises and prints nothing."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna.create_study(sampler=sampler, **arguments)


def random_configs(plan: StudyPlan, seed: int) -> list[TrainingProtocol]:
    """Return the published config, then random ones: as many as the plan has trials.

    A plan with more trials begins with the same configs.
    """
    study = quiet_study(RandomSampler(seed=seed))
    enqueue_first(study, plan, num_trials=1)
    space = plan.spaces[plan.architectures[0]]
    return [space.draw(study.ask(), published=number == 0) for number in range(plan.trials)]


def searched(config: TrainingProtocol) -> dict[str, Any]:
    """Return what of a config is searched and in use, by Optuna's names without prefix."""
    space = search_space(config.architecture)
    return without_prefix(space, space.params(config))


def without_prefix(space: SearchSpace, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return Optuna's parameters under their names without the architecture before them."""
    return {name.removeprefix(space.prefix): value for name, value in params.items()}
