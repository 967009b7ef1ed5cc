"""A sampler that learns from trials whose config made them fail, and from trials that wait.

Optuna's samplers look at complete and pruned trials alone, so a region where training diverges
would be drawn again and again. In the storage such trials stay FAIL; the sampler is shown these
trials as complete with a finite, bad value. A trial that has reported but not ended, such as a
trial that waits at a rung, is shown as pruned at its last epoch. Trials that failed for another
reason are not shown.
"""

from collections.abc import Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState

from galaxytune.sampling.optuna_internals import ShownStudy, as_if, trials_of
from galaxytune.sampling.shown_trials import TrialHistory

BLAMED = "config_failed"  # the user attribute of a trial that its config made fail
_LEAST_STEP = 0.01  # distance from the worst value; the RMSE of one config scatters less by seed
_UNKNOWN = 1.0  # an RMSE of fractions in 0..1 cannot be larger


def _penalty(extremes: Sequence[tuple[float, float]], num_objectives: int) -> list[float]:
    """Return a value of each objective that is clearly worse than the worst value so far.

    extremes: the best and the worst value of each objective; empty while no trial is complete. The
    value lies as far beyond the worst value as the worst lies from the best, but at least 0.01
    beyond, so that the scale of the other values is kept. All values are 1 if `extremes` is empty.
    """
    if not extremes:
        return [_UNKNOWN] * num_objectives
    return [high + max(high - low, _LEAST_STEP) for low, high in extremes[:num_objectives]]


def _has_reported(trial: FrozenTrial) -> bool:
    """Return whether a trial has not ended but has reported an epoch."""
    return trial.state == TrialState.RUNNING and bool(trial.intermediate_values)


class FailureAwareSampler(BaseSampler):
    """A sampler that lets another sampler draw, and shows it failed and waiting trials.

    The first lines of this module say how the trials are shown. The shown study is the study with
    the trials of `TrialHistory`, changed in this way. Optuna calls the methods; `trial` is the
    trial that is drawn.
    """

    def __init__(self, sampler: BaseSampler) -> None:
        """Take the sampler that draws; both samplers may serve only one study."""
        self._sampler = sampler
        self._history = TrialHistory(BLAMED)
        self._shown: tuple[int, optuna.Study] | None = None  # the trial drawn, and what is shown

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Return the inner sampler's search space for the shown study."""
        return self._sampler.infer_relative_search_space(self._seen(study, trial), trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return the values that the inner sampler draws together, by name; perhaps {}."""
        return self._sampler.sample_relative(self._seen(study, trial), trial, search_space)

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Return the inner sampler's draw of one hyperparameter from the shown study."""
        return self._sampler.sample_independent(
            self._seen(study, trial), trial, param_name, param_distribution
        )

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Pass the call on to the inner sampler."""
        self._sampler.before_trial(study, trial)

    def after_trial(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        state: TrialState,
        values: Sequence[float] | None,
    ) -> None:
        """Pass the call on to the inner sampler."""
        self._sampler.after_trial(study, trial, state, values)

    def reseed_rng(self) -> None:
        """Pass the call on to the inner sampler."""
        self._sampler.reseed_rng()

    def _seen(self, study: optuna.Study, trial: FrozenTrial) -> optuna.Study:
        """Return the study as the inner sampler sees it; one trial always sees the same object."""
        if self._shown is None or self._shown[0] != trial.number:
            trials = self._history.shown(trials_of(study))
            penalty = _penalty(self._history.extremes, len(study.directions))
            seen = [_as_seen(t, penalty) for t in trials]
            num_ended = self._history.num_ended + sum(map(_has_reported, trials))
            self._shown = trial.number, _as_study(study, seen, num_ended)
        return self._shown[1]


def _as_seen(trial: FrozenTrial, penalty: Sequence[float]) -> FrozenTrial:
    """Return a trial as the inner sampler sees it: a copy if it failed or waits, else itself.

    penalty: the values of a failed trial, one for each objective.
    """
    if trial.state == TrialState.FAIL:
        return as_if(trial, TrialState.COMPLETE, penalty)
    return as_if(trial, TrialState.PRUNED) if _has_reported(trial) else trial


def _as_study(study: optuna.Study, trials: list[FrozenTrial], num_ended: int) -> optuna.Study:
    """Return a ShownStudy, which Optuna's samplers take as a study."""
    return ShownStudy(study, trials, num_ended)  # type: ignore[return-value]
