"""What a study tries next: published configs, recommended ones, then the sampler's; or a grid.

A trial's user attributes in Optuna hold its whole config, so that a resume knows it.
"""

from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.trial import FrozenTrial, Trial

from galaxytune.plan import StudyPlan, grid_choices
from search_spaces.declaration import TrainingProtocol, config_from_values

ARCHITECTURE = "architecture"
_CONFIG, _PUBLISHED, _POINT = "config", "published", "grid_point"  # user attributes


def is_drawn(trial: FrozenTrial) -> bool:
    """Return whether a trial's config was drawn: a driver may die before it is."""
    return _CONFIG in trial.user_attrs


def drawn_config(trial: FrozenTrial) -> TrainingProtocol:
    """Return the config of a trial that was drawn."""
    return config_from_values(trial.user_attrs[_CONFIG])


def drawn_as_published(trial: FrozenTrial) -> bool:
    """Return whether a trial that was drawn has its architecture's published config."""
    return bool(trial.user_attrs[_PUBLISHED])


def user_attributes(config: TrainingProtocol, *, published: bool) -> dict[str, Any]:
    """Return the user attributes of a trial that was drawn."""
    return {_CONFIG: config.model_dump(mode="json"), _PUBLISHED: published}


def enqueue_first(study: optuna.Study, plan: StudyPlan, num_trials: int | None = None) -> None:
    """Queue the trials that a study begins with, after those that are queued already.

    A grid queues all of its points. A search queues the published config of each architecture,
    then each architecture's recommended configs in turn. num_trials: how many of them, None for
    all.
    """
    done = len(study.get_trials(deepcopy=False))
    end = None if num_trials is None else done + num_trials
    if plan.grid:
        for point, config in plan.grid_configs()[done:end]:
            _enqueue_point(study, plan, point, config)
        return
    for config, is_published in _first_configs(plan)[done:end]:
        params, _ = known_draw(config, plan)
        study.enqueue_trial(params, user_attrs={_PUBLISHED: True} if is_published else None)


def _first_configs(plan: StudyPlan) -> list[tuple[TrainingProtocol, bool]]:
    """Return the first configs of a search, each with whether the config is published."""
    spaces = plan.spaces.values()
    published = [(space.published, True) for space in spaces]
    most = max(len(space.recommended) for space in spaces)
    return published + [
        (space.recommended[i], False)
        for i in range(most)
        for space in spaces
        if i < len(space.recommended)
    ]


def _enqueue_point(
    study: optuna.Study, plan: StudyPlan, point: dict[str, Any], config: TrainingProtocol
) -> None:
    published = plan.spaces[config.architecture].published
    is_published = config == published.model_copy(update={"seed": config.seed})
    scalars = {key: value for key, value in point.items() if _is_scalar(value)}
    study.enqueue_trial(
        {**scalars, ARCHITECTURE: config.architecture},
        user_attrs={_PUBLISHED: is_published, _POINT: point},
    )


def enqueue_like(study: optuna.Study, plan: StudyPlan, config: TrainingProtocol) -> None:
    """Queue a trial that shares with a config all that shapes a network; the rest is drawn."""
    shared = plan.spaces[config.architecture].shaping_params(config)
    study.enqueue_trial(_architecture_param(config, plan) | shared)


def known_draw(
    config: TrainingProtocol, plan: StudyPlan
) -> tuple[dict[str, Any], dict[str, BaseDistribution]]:
    """Return what Optuna would have drawn to arrive at a config, and from which distributions."""
    params = _architecture_param(config, plan)
    distributions: dict[str, BaseDistribution] = {
        name: CategoricalDistribution(plan.architectures) for name in params
    }
    if plan.grid:
        return params, distributions
    space = plan.spaces[config.architecture]
    return params | space.params(config), distributions | space.distributions(config)


def _architecture_param(config: TrainingProtocol, plan: StudyPlan) -> dict[str, Any]:
    """Return the parameter that names the architecture; {} where the plan has only one."""
    is_drawn = plan.grid or len(plan.architectures) > 1
    return {ARCHITECTURE: config.architecture} if is_drawn else {}


def _is_scalar(value: Any) -> bool:
    """Return whether Optuna can hold a value as a categorical choice."""
    return value is None or isinstance(value, (bool, int, float, str))


def draw_config(trial: Trial, plan: StudyPlan) -> Trial:
    """Draw a trial's config into the trial's user attributes, and return the trial."""
    config = _grid_config(trial, plan) if plan.grid else _searched_config(trial, plan)
    if _PUBLISHED not in trial.user_attrs:
        trial.set_user_attr(_PUBLISHED, False)
    # last: a trial with a config can be run
    trial.set_user_attr(_CONFIG, config.model_dump(mode="json"))
    return trial


def _searched_config(trial: Trial, plan: StudyPlan) -> TrainingProtocol:
    architecture = plan.architectures[0]
    if len(plan.architectures) > 1:
        architecture = trial.suggest_categorical(ARCHITECTURE, plan.architectures)
    return plan.spaces[architecture].draw(trial)


def _grid_config(trial: Trial, plan: StudyPlan) -> TrainingProtocol:
    """Return the config of a queued point; Optuna hears of each scalar as a categorical draw."""
    architecture = trial.suggest_categorical(ARCHITECTURE, plan.architectures)
    point = trial.user_attrs[_POINT]
    for key, choices in grid_choices(plan.grid).items():
        if key in point and key != ARCHITECTURE and all(map(_is_scalar, choices)):
            trial.suggest_categorical(key, choices)
    return plan.spaces[architecture].config(point)
