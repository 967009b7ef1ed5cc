"""A sampler that learns from trials whose config made them fail.

Optuna's samplers look at complete and pruned trials alone: a region where training diverges
leaves no trace and is drawn again and again. Here such trials stay FAIL in the storage, and the
sampler alone is shown them as complete with a finite, bad value.
"""

from collections.abc import Container, Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState

BLAMED = "config_failed"  # the user attribute of a trial that failed for its config's sake
_LEAST_STEP = 0.01  # of an RMSE: more than seeds scatter
_UNKNOWN = 1.0  # RMSE of fractions in 0..1 cannot be larger


class _PenalisedStudy:
    """A study in which blamed trials look complete; all else is passed on."""

    def __init__(self, study: optuna.Study) -> None:
        self._study = study

    def __getattr__(self, name: str) -> Any:
        return getattr(self._study, name)

    def _get_trials(
        self,
        deepcopy: bool = True,
        states: Container[TrialState] | None = None,
        use_cache: bool = False,
    ) -> list[FrozenTrial]:
        trials = self._study._get_trials(deepcopy=False, states=None, use_cache=use_cache)
        penalty = _penalty(trials, len(self._study.directions))
        shown = [
            _penalised(t, penalty) if BLAMED in t.user_attrs and t.state == TrialState.FAIL else t
            for t in trials
        ]
        return [t for t in shown if states is None or t.state in states]


def _penalty(trials: Sequence[FrozenTrial], num_objectives: int) -> list[float]:
    """A value of each objective that is clearly worse than the worst so far; 1 at first.

    As far beyond it as the best is before it, so that it stays on the scale of the others.
    """
    values = [t.values for t in trials if t.state == TrialState.COMPLETE and t.values]
    if not values:
        return [_UNKNOWN] * num_objectives
    columns = list(zip(*values))[:num_objectives]
    return [max(c) + max(max(c) - min(c), _LEAST_STEP) for c in columns]


def _penalised(trial: FrozenTrial, values: Sequence[float]) -> FrozenTrial:
    return FrozenTrial(
        number=trial.number,
        trial_id=trial._trial_id,
        state=TrialState.COMPLETE,
        value=None,
        values=list(values),
        datetime_start=trial.datetime_start,
        datetime_complete=trial.datetime_complete,
        params=trial.params,
        distributions=trial.distributions,
        user_attrs=trial.user_attrs,
        system_attrs=trial.system_attrs,
        intermediate_values=trial.intermediate_values,
    )


class PenalisingSampler(BaseSampler):
    """Another sampler, shown blamed trials as complete and worse than the worst."""

    def __init__(self, sampler: BaseSampler) -> None:
        """`sampler` does the drawing."""
        self._sampler = sampler

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """The sampler's own."""
        return self._sampler.infer_relative_search_space(_shown(study), trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The sampler's own draw from the penalised history."""
        return self._sampler.sample_relative(_shown(study), trial, search_space)

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """The sampler's own draw from the penalised history."""
        return self._sampler.sample_independent(
            _shown(study), trial, param_name, param_distribution
        )

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Passed on."""
        self._sampler.before_trial(study, trial)

    def after_trial(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        state: TrialState,
        values: Sequence[float] | None,
    ) -> None:
        """Passed on."""
        self._sampler.after_trial(study, trial, state, values)

    def reseed_rng(self) -> None:
        """Passed on."""
        self._sampler.reseed_rng()


def _shown(study: optuna.Study) -> optuna.Study:
    return _PenalisedStudy(study)  # type: ignore[return-value]
