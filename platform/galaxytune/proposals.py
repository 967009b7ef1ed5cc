"""What to try next: the published configs first, then what Optuna's sampler draws; or a grid."""

from collections.abc import Mapping
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.trial import Trial

from galaxytune.grid import grid_choices
from galaxytune.study_plan import StudyPlan
from search_spaces import config_class, config_from_values
from search_spaces.declaration.hyperparameters import (
    decide_shapes,
    hyperparameters,
    searched_values,
    suggest,
)

ARCHITECTURE = "architecture"
_POINT = "grid_point"


def enqueue_published(study: optuna.Study, plan: StudyPlan, num_trials: int | None = None) -> None:
    """Queue the published config of each architecture, or of some; a study's first trials."""
    done = len(study.get_trials(deepcopy=False))
    end = None if num_trials is None else done + num_trials
    for architecture in plan.architectures[done:end]:
        config = plan.published_config(architecture)
        drawn = searched_values(config, plan.fixed_values(architecture), prefix=f"{architecture}.")
        if len(plan.architectures) > 1:
            drawn[ARCHITECTURE] = architecture
        study.enqueue_trial(drawn, user_attrs={"published": True})


def enqueue_like(study: optuna.Study, plan: StudyPlan, config: Mapping[str, Any]) -> None:
    """Queue a trial that shares with a config all that shapes a network; the rest is drawn."""
    architecture = config["architecture"]
    shaping = decide_shapes(config_class(architecture))
    drawn, _ = known_draw(config, plan)
    own = [name.removeprefix(f"{architecture}.") for name in drawn]
    shared = [name for name, field in zip(drawn, own) if field.partition(".")[0] in shaping]
    study.enqueue_trial({name: drawn[name] for name in shared})


def known_draw(
    config: Mapping[str, Any], plan: StudyPlan
) -> tuple[dict[str, Any], dict[str, BaseDistribution]]:
    """What Optuna would have drawn to arrive at a config, and from what, by its names."""
    architecture = config["architecture"]
    params: dict[str, Any] = {}
    distributions: dict[str, BaseDistribution] = {}
    if plan.grid or len(plan.architectures) > 1:
        params[ARCHITECTURE] = architecture
        distributions[ARCHITECTURE] = CategoricalDistribution(plan.architectures)
    if plan.grid:
        return params, distributions
    prefix, fixed = f"{architecture}.", plan.fixed_values(architecture)
    drawn = searched_values(config_from_values(config), fixed, prefix=prefix)
    for parameter in hyperparameters(config_class(architecture)):
        for entry in parameter.entries():
            if prefix + entry in drawn:
                distributions[prefix + entry] = parameter.distribution
    return params | drawn, distributions


def enqueue_grid(study: optuna.Study, plan: StudyPlan, num_trials: int | None = None) -> None:
    """Queue the points of the plan's grid, or some, after those that are queued already."""
    done = len(study.get_trials(deepcopy=False))
    end = None if num_trials is None else done + num_trials
    for point, config in plan.grid_configs()[done:end]:
        published = plan.published_config(config.architecture)
        is_published = config == published.model_copy(update={"seed": config.seed})
        scalars = {key: value for key, value in point.items() if _is_scalar(value)}
        study.enqueue_trial(
            {**scalars, ARCHITECTURE: config.architecture},
            user_attrs={"published": is_published, _POINT: point},
        )


def _is_scalar(value: Any) -> bool:
    """Whether Optuna can hold the value as a categorical choice."""
    return value is None or isinstance(value, (bool, int, float, str))


def _grid_config(trial: Trial, plan: StudyPlan) -> Trial:
    """The queued point; Optuna hears of it as of a categorical draw."""
    architecture = trial.suggest_categorical(ARCHITECTURE, plan.architectures)
    point = trial.user_attrs[_POINT]
    for key, choices in grid_choices(plan.grid).items():
        if key in point and key != ARCHITECTURE and all(map(_is_scalar, choices)):
            trial.suggest_categorical(key, choices)
    config = config_from_values(plan.fixed_values(architecture) | point)
    trial.set_user_attr("config", config.model_dump(mode="json"))
    return trial


def draw_config(trial: Trial, plan: StudyPlan) -> Trial:
    """Draw a config; the trial's user attributes then hold it whole, checked, in plain values."""
    if plan.grid:
        return _grid_config(trial, plan)
    if len(plan.architectures) > 1:
        architecture = trial.suggest_categorical(ARCHITECTURE, plan.architectures)
    else:
        architecture = plan.architectures[0]
    values = suggest(
        trial,
        config_class(architecture),
        plan.fixed_values(architecture),
        prefix=f"{architecture}.",
    )
    if "published" not in trial.user_attrs:
        trial.set_user_attr("published", False)
    config = config_from_values(values)
    trial.set_user_attr("config", config.model_dump(mode="json"))  # last: now it can be run
    return trial
