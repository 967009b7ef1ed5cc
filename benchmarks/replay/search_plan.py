"""The search that is recorded and replayed: one architecture's declared space, nothing fixed."""

from typing import Any

import optuna
from optuna.samplers import RandomSampler

from galaxytune.proposals import draw_config, enqueue_published
from galaxytune.study_plan import StudyPlan, make_plan
from search_spaces import config_from_values
from search_spaces.declaration.hyperparameters import searched_values


def search_plan(architecture: str, *, trials: int, epochs: int, seed: int = 0) -> StudyPlan:
    """The plan of a search without a data file; ValueError for an unknown architecture."""
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


def quiet_study(sampler: optuna.samplers.BaseSampler, **arguments: Any) -> optuna.Study:
    """An Optuna study in memory that minimises and prints nothing."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna.create_study(sampler=sampler, **arguments)


def random_configs(plan: StudyPlan, seed: int) -> list[dict[str, Any]]:
    """The published config's values, then random ones: as many as the plan has trials.

    A plan with more trials begins with the same configs.
    """
    study = quiet_study(RandomSampler(seed=seed))
    enqueue_published(study, plan)
    return [draw_config(study.ask(), plan).user_attrs["config"] for _ in range(plan.trials)]


def searched(values: dict[str, Any]) -> dict[str, Any]:
    """What of a config's values is searched and in use, by the name that Optuna would use."""
    return searched_values(config_from_values(values), {}, prefix="")
