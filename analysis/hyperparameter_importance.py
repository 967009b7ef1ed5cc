"""What was searched in an architecture's trials, and which of it decided the RMSE."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

from analysis.trial_record import TrialRecord
from search_spaces import config_class
from search_spaces.declaration.hyperparameters import hyperparameters

BEST_SHARE = 0.25  # importance is for reaching the best quarter
# Optuna advises five trials in the best share, else two good trials decide alone: 5 / 0.25.
FEWEST_TRIALS = 20


@dataclass(frozen=True)
class SearchedField:
    """One searched scalar over a list of trials.

    name: the field's, or FIELD.1, FIELD.2, ... for the entries of a tuple; values: one a trial,
    None where the trial did not use the field.
    """

    name: str
    distribution: BaseDistribution
    values: tuple[Any, ...]

    @property
    def tuple_field(self) -> str | None:
        """The tuple field that this is an entry of, or None."""
        return self.name.partition(".")[0] if "." in self.name else None


def searched_fields(records: Sequence[TrialRecord], architecture: str) -> list[SearchedField]:
    """The scalars of an architecture that took two values or more in `records`, all of it.

    In the order of their declaration. A field that is in use only while another has some value
    counts where it is in use.
    """
    configs = [record.config for record in records]
    fields = []
    for parameter in hyperparameters(config_class(architecture)):
        columns: list[Sequence[Any]] = []
        for config in configs:
            value = config.get(parameter.name)
            if value is None or not parameter.in_use(config):
                columns.append([None] * (parameter.length or 1))
            else:
                columns.append([value] if parameter.length is None else value)
        for name, values in zip(parameter.entries(), zip(*columns)):
            if len({value for value in values if value is not None}) > 1:
                fields.append(SearchedField(name, parameter.distribution, values))
    return fields


def complete_trials(records: Iterable[TrialRecord], architecture: str) -> list[TrialRecord]:
    """The fully trained trials of one architecture."""
    return [r for r in records if r.architecture == architecture and r.status == "complete"]


def hyperparameter_importance(
    records: Iterable[TrialRecord], architecture: str
) -> dict[str, float]:
    """Importance of each searched scalar, highest first, summing to 1; {} if it cannot be told.

    PED-ANOVA as Optuna has it (Watanabe et al. 2023, IJCAI): how far the values of the best
    quarter of the complete trials differ from those of all. It needs 20 complete trials, so
    that the quarter holds five. A trial with a value outside the declared range is left out.
    """
    trials = complete_trials(records, architecture)
    fields = searched_fields(trials, architecture)
    study = _empty_study()
    for i, record in enumerate(trials):
        drawn = {f.name: (f.distribution, f.values[i]) for f in fields if f.values[i] is not None}
        if all(_within(distribution, value) for distribution, value in drawn.values()):
            study.add_trial(_optuna_trial(record, drawn))
    if not fields or len(study.trials) < FEWEST_TRIALS:
        return {}
    errors = sorted(trial.values[0] for trial in study.trials)
    if errors[int(BEST_SHARE * len(errors))] == errors[-1]:
        return {}  # no trial is worse than the best quarter, so there is nothing to tell apart
    known = {name for trial in study.trials for name in trial.params}
    return get_param_importances(
        study,
        evaluator=PedAnovaImportanceEvaluator(target_quantile=BEST_SHARE),
        params=[field.name for field in fields if field.name in known],
    )


def _empty_study() -> optuna.Study:
    loudness = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # else every new study is announced
    study = optuna.create_study(storage=optuna.storages.InMemoryStorage())
    optuna.logging.set_verbosity(loudness)
    return study


def _within(distribution: BaseDistribution, value: Any) -> bool:
    match distribution:
        case CategoricalDistribution(choices=choices):
            return value in choices
        case FloatDistribution(low=low, high=high) | IntDistribution(low=low, high=high):
            return bool(low <= value <= high)
    raise TypeError(f"no way to tell what lies within {distribution!r}")


def _optuna_trial(
    record: TrialRecord, drawn: dict[str, tuple[BaseDistribution, Any]]
) -> optuna.trial.FrozenTrial:
    return optuna.create_trial(
        params={name: value for name, (_, value) in drawn.items()},
        distributions={name: distribution for name, (distribution, _) in drawn.items()},
        value=record.val_rmse,
    )
