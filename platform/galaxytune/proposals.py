"""What to try next: the published configs first, then what Optuna's sampler draws."""

import optuna
from optuna.trial import Trial

from galaxytune.study_plan import StudyPlan
from search_spaces import config_class, config_from_values
from search_spaces.declaration.hyperparameters import searched_values, suggest

ARCHITECTURE = "architecture"


def enqueue_published(study: optuna.Study, plan: StudyPlan) -> None:
    """Queue the published config of each architecture, once, ahead of all draws."""
    for architecture in plan.architectures:
        config = plan.published_config(architecture)
        drawn = searched_values(config, plan.fixed_values(architecture), prefix=f"{architecture}.")
        if len(plan.architectures) > 1:
            drawn[ARCHITECTURE] = architecture
        study.enqueue_trial(drawn, user_attrs={"published": True}, skip_if_exists=True)


def draw_config(trial: Trial, plan: StudyPlan) -> Trial:
    """Draw a config; the trial's user attributes then hold it whole, checked, in plain values."""
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
