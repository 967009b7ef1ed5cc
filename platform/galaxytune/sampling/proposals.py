"""The configs of a study's trials: which are queued first, and how a trial gets its config.

A search tries its first trials (see `first_trials`), then configs that the sampler draws, and in
the end the best configs with further seeds. A grid tries its points only. The user attributes of a
trial in Optuna hold the trial's whole config, so that a resumed study can read the config.
"""

from collections.abc import Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.trial import FrozenTrial, Trial

from analysis.records import Origin
from galaxytune.plan import FirstTrial, StudyPlan, first_trials, grid_choices
from search_spaces.declaration import TrainingProtocol, config_from_values

ARCHITECTURE = "architecture"
# user attributes; the last one is that of a queued trial with a further seed
_CONFIG, _PUBLISHED, _POINT, _ORIGIN = "config", "published", "grid_point", "origin"
_SEED = "seed"


def is_drawn(trial: FrozenTrial) -> bool:
    """Return whether a trial has a config, which `draw_config` or `user_attributes` gave it.

    The result is False for a queued trial, and for a trial whose driver died before the config was
    drawn.
    """
    return _CONFIG in trial.user_attrs


def drawn_config(trial: FrozenTrial) -> TrainingProtocol:
    """Return the config of a trial that was drawn.

    KeyError is raised if the trial has no config (see `is_drawn`), InvalidInput if this version of
    galaxytune does not accept the stored config.
    """
    return config_from_values(trial.user_attrs[_CONFIG])


def drawn_as_published(trial: FrozenTrial) -> bool:
    """Return whether a trial that was drawn was queued with its architecture's published config.

    In a grid, a point that differs from the published config in `seed` only counts as published. A
    config from the sampler never counts as published. A trial that was not drawn may raise
    KeyError.
    """
    return bool(trial.user_attrs[_PUBLISHED])


def origin_of(trial: FrozenTrial) -> Origin:
    """Return where the config of a trial that was drawn comes from.

    The result is `published`, `learned` or `recommended` for the first trials of a search, `seed`
    for the config of an earlier trial with a further seed, `grid` for a point of a grid, and
    `drawn` for a config that the sampler drew.
    """
    if _ORIGIN in trial.user_attrs:
        origin: Origin = trial.user_attrs[_ORIGIN]
        return origin
    if drawn_as_published(trial):
        return "published"
    return "grid" if _POINT in trial.user_attrs else "drawn"


def user_attributes(
    config: TrainingProtocol, *, published: bool, origin: str | None = None
) -> dict[str, Any]:
    """Return the user attributes by which a trial of Optuna counts as drawn with a config.

    published: what `drawn_as_published` is to return for the trial. origin: what `origin_of` is to
    return; None if it is not known.
    """
    known = {} if origin is None else {_ORIGIN: origin}
    return {_CONFIG: config.model_dump(mode="json"), _PUBLISHED: published, **known}


def enqueue_first(
    study: optuna.Study,
    plan: StudyPlan,
    num_trials: int | None = None,
    *,
    first: Sequence[FirstTrial] | None = None,
) -> None:
    """Queue those of the plan's first trials that the study does not hold yet.

    The first trials of a grid are all of its points. Those of a search are `first`, or, for None,
    those that `first_trials` returns for the plan; no more of them than the plan has trials. The T
    trials that the study holds, in whatever state, count as the first T of these trials; nothing
    is queued if there are no more than T.

    num_trials: the largest number of trials to queue, None for all. The trials are written to the
    study's storage; OSError is raised if the disk refuses.
    """
    done = len(study.get_trials(deepcopy=False))
    end = None if num_trials is None else done + num_trials
    if plan.grid:
        for point, config in plan.grid_configs()[done:end]:
            _enqueue_point(study, plan, point, config)
        return
    wanted = first_trials(plan) if first is None else first
    for trial in wanted[: plan.trials][done:end]:
        params, _ = known_draw(trial.config, plan)
        attributes: dict[str, Any] = {_ORIGIN: trial.origin}
        if trial.origin == "published":
            attributes[_PUBLISHED] = True
        study.enqueue_trial(params, user_attrs=attributes)


def _enqueue_point(
    study: optuna.Study, plan: StudyPlan, point: dict[str, Any], config: TrainingProtocol
) -> None:
    """Queue a trial for a point of the grid, whose config is `config`.

    Optuna's parameters of the trial are `architecture` and those values of the point that are
    scalars. The user attributes hold the whole point.
    """
    published = plan.spaces[config.architecture].published
    is_published = config == published.model_copy(update={"seed": config.seed})
    scalars = {key: value for key, value in point.items() if _is_scalar(value)}
    study.enqueue_trial(
        {**scalars, ARCHITECTURE: config.architecture},
        user_attrs={_PUBLISHED: is_published, _POINT: point},
    )


def enqueue_like(study: optuna.Study, plan: StudyPlan, config: TrainingProtocol) -> None:
    """Queue a trial of a search whose network can be trained in one pack with that of a config.

    The trial has the architecture of `config`, and the same values of all searched fields in which
    the configs of a pack must agree (see `SearchSpace.shaping_params`). The other searched fields
    are drawn when the trial begins. OSError is raised if the disk refuses.
    """
    shared = plan.spaces[config.architecture].shaping_params(config)
    study.enqueue_trial(_architecture_param(config, plan) | shared)


def enqueue_again(
    study: optuna.Study, plan: StudyPlan, config: TrainingProtocol, *, published: bool, seed: int
) -> None:
    """Queue a trial of a search with the config of an earlier trial and another seed.

    config: the config of the earlier trial. published: what `drawn_as_published` returns for the
    earlier trial. The config is drawn when the trial begins. OSError is raised if the disk
    refuses.
    """
    params, _ = known_draw(config, plan)
    study.enqueue_trial(params, user_attrs={_PUBLISHED: published, _SEED: seed, _ORIGIN: "seed"})


def known_draw(
    config: TrainingProtocol, plan: StudyPlan
) -> tuple[dict[str, Any], dict[str, BaseDistribution]]:
    """Return the parameters of Optuna that give a config, and their distributions, by name.

    In a search the parameters are all searched fields that the config uses, and `architecture` if
    the plan has several architectures. In a grid there is only `architecture`, because the config
    itself is stored with the trial.
    """
    params = _architecture_param(config, plan)
    distributions: dict[str, BaseDistribution] = {
        name: CategoricalDistribution(plan.architectures) for name in params
    }
    if plan.grid:
        return params, distributions
    space = plan.spaces[config.architecture]
    return params | space.params(config), distributions | space.distributions(config)


def _architecture_param(config: TrainingProtocol, plan: StudyPlan) -> dict[str, Any]:
    """Return {"architecture": name}; {} for a search in only one architecture."""
    is_drawn = plan.grid or len(plan.architectures) > 1
    return {ARCHITECTURE: config.architecture} if is_drawn else {}


def _is_scalar(value: Any) -> bool:
    """Return whether Optuna can store a value as a categorical choice."""
    return value is None or isinstance(value, (bool, int, float, str))


def draw_config(trial: Trial, plan: StudyPlan) -> Trial:
    """Draw a trial's config, store it in the trial's user attributes, and return the trial.

    trial: a running trial of the plan's study. Values that are queued for the trial are kept, and
    the study's sampler draws the others. In a grid the config is that of the trial's point;
    KeyError is raised if the trial was not queued by `enqueue_first`. InvalidInput is raised if
    the config refuses a queued value, OSError if the disk refuses.
    """
    config = _grid_config(trial, plan) if plan.grid else _searched_config(trial, plan)
    if _PUBLISHED not in trial.user_attrs:
        trial.set_user_attr(_PUBLISHED, False)
    # last: a trial with a config can be run
    trial.set_user_attr(_CONFIG, config.model_dump(mode="json"))
    return trial


def _searched_config(trial: Trial, plan: StudyPlan) -> TrainingProtocol:
    """Return the config of a search's trial, whose architecture is also drawn if it varies."""
    architecture = plan.architectures[0]
    if len(plan.architectures) > 1:
        architecture = trial.suggest_categorical(ARCHITECTURE, plan.architectures)
    attributes = trial.user_attrs
    config = plan.spaces[architecture].draw(trial, published=bool(attributes.get(_PUBLISHED)))
    if _SEED not in attributes:
        return config
    return config.model_copy(update={"seed": attributes[_SEED]})


def _grid_config(trial: Trial, plan: StudyPlan) -> TrainingProtocol:
    """Return the config of the point that is queued for a trial.

    Optuna stores the architecture as a categorical parameter, and also each key of the point that
    has only scalars as values in the whole grid. KeyError is raised if the trial has no point.
    """
    architecture = trial.suggest_categorical(ARCHITECTURE, plan.architectures)
    point = trial.user_attrs[_POINT]
    for key, choices in grid_choices(plan.grid).items():
        if key in point and key != ARCHITECTURE and all(map(_is_scalar, choices)):
            trial.suggest_categorical(key, choices)
    return plan.spaces[architecture].config(point)
