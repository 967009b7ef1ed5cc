"""Functions that find the searched fields of an architecture, and how important each field is."""

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

from analysis.records import TrialRecord
from search_spaces.declaration import config_class, hyperparameters

BEST_SHARE = 0.25  # share of the complete trials that counts as the best trials
# Optuna advises five trials in the best share, so that one or two good trials do not decide alone.
# 20 is 5 / 0.25.
FEWEST_TRIALS = 20


@dataclass(frozen=True)
class SearchedField:
    """A searched scalar with its values in a list of trials.

    A scalar is a field of the config, or one entry of a tuple field.

    name: name of the field. The entries of a tuple field are named FIELD.1, FIELD.2 and so on.
    distribution: the declared range of the scalar as an Optuna distribution.
    values: one value for each trial, in the order of the trials. None for a trial that did not use
    the field, or whose value is None.
    """

    name: str
    distribution: BaseDistribution
    values: tuple[Any, ...]

    @property
    def tuple_field(self) -> str | None:
        """Name of the tuple field that the scalar is an entry of; None for a scalar field."""
        return self.name.partition(".")[0] if "." in self.name else None


def searched_fields(records: Sequence[TrialRecord], architecture: str) -> list[SearchedField]:
    """Return the searched scalars that have at least two different values in the trials.

    records: trials of the architecture, and of no other. architecture: name of the architecture;
    an unknown name raises InvalidInput. The scalars are in the order of their declaration. A field
    may be in use only for certain values of another field; then only the trials that use the field
    count. The list is empty if no scalar has two values, for example for fewer than two trials.
    """
    configs = [record.config.model_dump() for record in records]
    fields = []
    for parameter in hyperparameters(config_class(architecture)):
        if parameter.only_choice:
            continue
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
    """Return the complete trials of one architecture, in the given order."""
    return [r for r in records if r.architecture == architecture and r.status == "complete"]


def importance_of_hyperparameters(
    records: Iterable[TrialRecord], architecture: str
) -> dict[str, float]:
    """Return the importance of each searched scalar by name, the highest first.

    The importances are at least 0 and sum to 1. records: trials, also of other architectures.
    architecture: name of the architecture; an unknown name raises InvalidInput. Only complete
    trials count. A complete trial with a value outside the declared range is left out.

    The measure is PED-ANOVA as implemented in Optuna (Watanabe et al. 2023, IJCAI): how much the
    values of a scalar in the best quarter of the complete trials differ from the values in all
    complete trials. The result is {} in three cases: no scalar has two values, fewer than 20
    trials are left (so that the best quarter holds fewer than five), or no trial is worse than the
    first trial beyond the best quarter.
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
        return {}  # no trial is worse than the first trial beyond the best quarter
    known = {name for trial in study.trials for name in trial.params}
    return get_param_importances(
        study,
        evaluator=PedAnovaImportanceEvaluator(target_quantile=BEST_SHARE),
        params=[field.name for field in fields if field.name in known],
    )


def _empty_study() -> optuna.Study:
    """Return a new Optuna study in memory that minimises, without the usual log message."""
    loudness = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # Optuna logs each new study
    study = optuna.create_study(storage=optuna.storages.InMemoryStorage())
    optuna.logging.set_verbosity(loudness)
    return study


def _within(distribution: BaseDistribution, value: Any) -> bool:
    """Return whether a value is in the range or among the choices of a distribution.

    TypeError is raised for a distribution that is not categorical, float or int.
    """
    match distribution:
        case CategoricalDistribution(choices=choices):
            return value in choices
        case FloatDistribution(low=low, high=high) | IntDistribution(low=low, high=high):
            return bool(low <= value <= high)
    raise TypeError(f"no way to tell what lies within {distribution!r}")


def _optuna_trial(
    record: TrialRecord, drawn: dict[str, tuple[BaseDistribution, Any]]
) -> optuna.trial.FrozenTrial:
    """Return a complete Optuna trial with the validation RMSE of a record as its value.

    record: record of a complete trial. drawn: by name, the distribution and value of each scalar
    that the trial used; ValueError is raised if a value is outside its distribution.
    """
    return optuna.create_trial(
        params={name: value for name, (_, value) in drawn.items()},
        distributions={name: distribution for name, (distribution, _) in drawn.items()},
        value=record.val_rmse,
    )
