"""A sampler that learns from trials whose config made them fail, and from those that wait.

Optuna's samplers look at complete and pruned trials alone: a region where training diverges
leaves no trace and is drawn again and again. Here such trials stay FAIL in the storage, and the
sampler alone is shown them as complete with a finite, bad value. And trials that have reported
but not ended, as those that wait at a rung, it is shown as pruned where they stand.
"""

from collections.abc import Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState

from galaxytune.shown_trials import ShownStudy, TrialHistory

BLAMED = "config_failed"  # the user attribute of a trial that failed for its config's sake
_LEAST_STEP = 0.01  # of an RMSE: more than seeds scatter
_UNKNOWN = 1.0  # RMSE of fractions in 0..1 cannot be larger


def _penalty(extremes: Sequence[tuple[float, float]], num_objectives: int) -> list[float]:
    """A value of each objective that is clearly worse than the worst so far; 1 at first.

    As far beyond it as the best is before it, so that it stays on the scale of the others.
    """
    if not extremes:
        return [_UNKNOWN] * num_objectives
    return [high + max(high - low, _LEAST_STEP) for low, high in extremes[:num_objectives]]


def _changed(
    trial: FrozenTrial, state: TrialState, values: Sequence[float] | None = None
) -> FrozenTrial:
    """A trial as if it had ended otherwise."""
    return FrozenTrial(
        number=trial.number,
        trial_id=trial._trial_id,
        state=state,
        value=None,
        values=None if values is None else list(values),
        datetime_start=trial.datetime_start,
        datetime_complete=trial.datetime_complete or trial.datetime_start,
        params=trial.params,
        distributions=trial.distributions,
        user_attrs=trial.user_attrs,
        system_attrs=trial.system_attrs,
        intermediate_values=trial.intermediate_values,
    )


def _has_reported(trial: FrozenTrial) -> bool:
    return trial.state == TrialState.RUNNING and bool(trial.intermediate_values)


class PenalisingSampler(BaseSampler):
    """Another sampler, shown blamed trials as the worst and those that go on as pruned."""

    def __init__(self, sampler: BaseSampler) -> None:
        """`sampler` does the drawing, for one study."""
        self._sampler = sampler
        self._history = TrialHistory(BLAMED)
        self._shown: tuple[int, optuna.Study] | None = None  # to whom, and what

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """The sampler's own of the penalised history."""
        return self._sampler.infer_relative_search_space(self._seen(study, trial), trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The sampler's own draw from the penalised history."""
        return self._sampler.sample_relative(self._seen(study, trial), trial, search_space)

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """The sampler's own draw from the penalised history."""
        return self._sampler.sample_independent(
            self._seen(study, trial), trial, param_name, param_distribution
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

    def _seen(self, study: optuna.Study, trial: FrozenTrial) -> optuna.Study:
        """What the sampler sees while it draws one trial; nothing of it changes meanwhile."""
        if self._shown is None or self._shown[0] != trial.number:
            trials = self._history.shown(study._get_trials(deepcopy=False, states=None))
            penalty = _penalty(self._history.extremes, len(study.directions))
            seen = [_as_seen(t, penalty) for t in trials]
            num_ended = self._history.num_ended + sum(map(_has_reported, trials))
            self._shown = trial.number, _as_study(study, seen, num_ended)
        return self._shown[1]


def _as_seen(trial: FrozenTrial, penalty: Sequence[float]) -> FrozenTrial:
    if trial.state == TrialState.FAIL:
        return _changed(trial, TrialState.COMPLETE, penalty)
    return _changed(trial, TrialState.PRUNED) if _has_reported(trial) else trial


def _as_study(study: optuna.Study, trials: list[FrozenTrial], num_ended: int) -> optuna.Study:
    return ShownStudy(study, trials, num_ended)  # type: ignore[return-value]
