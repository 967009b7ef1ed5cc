"""The one module that uses Optuna's private parts, which may change with any release.

Everything here was written for Optuna 5.0; tests/galaxytune/sampling compares the results with
those of Optuna's own classes.
"""

from collections.abc import Container, Sequence
from typing import Any

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.samplers import TPESampler
from optuna.samplers._tpe import sampler as _tpe
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, Trial, TrialState


def trials_of(
    study: optuna.Study, states: Container[TrialState] | None = None
) -> list[FrozenTrial]:
    """Return the trials of a study in the order of their numbers; [] if there are none.

    states: the states of the trials that are returned; None for all trials. The trials are not
    copies and must not be changed. Of a ShownStudy the shown trials are returned.
    """
    return study._get_trials(deepcopy=False, states=states)


def storage_id(study: optuna.Study, number: int) -> int:
    """Return the storage's id of the trial with a number; KeyError if there is no such trial."""
    storage = study._storage
    return storage.get_trial_id_from_study_id_trial_number(study._study_id, number)


def live_trial(study: optuna.Study, number: int) -> Trial:
    """Return the trial with a number as an object that can suggest values and set attributes.

    KeyError is raised if there is no such trial. The suggested values come from the sampler of
    `study`, except the values that are queued for the trial.
    """
    return Trial(study, storage_id(study, number))


def as_if(
    trial: FrozenTrial, state: TrialState, values: Sequence[float] | None = None
) -> FrozenTrial:
    """Return a copy of a trial as if the trial had ended in `state` with `values`.

    values: a value for each objective, None for no values. The copy shares its mappings, such as
    `params`, with the trial.
    """
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


def enqueued_params(trial: FrozenTrial) -> dict[str, Any]:
    """Return the values that a queued trial must have, by Optuna's names; {} for other trials.

    The mapping is the trial's own and must not be changed.
    """
    params: dict[str, Any] = trial.system_attrs.get("fixed_params", {})
    return params


class ShownStudy:
    """A study as a sampler sees it: only some trials are shown, all else is the study's own.

    direction: MINIMIZE. Pruned trials are ranked by their RMSE, lower is better, whatever the
    number of objectives; Optuna's own study raises an error if there are two.
    num_ended: number of trials that a sampler counts as ended, shown or not; the caller decides
        whether trials that have reported an epoch and still run count too.
    """

    direction = StudyDirection.MINIMIZE

    def __init__(self, study: optuna.Study, trials: Sequence[FrozenTrial], num_ended: int) -> None:
        """Show only `trials` of a study; num_ended: see the attribute."""
        self._study, self._trials, self.num_ended = study, trials, num_ended

    def __getattr__(self, name: str) -> Any:
        """Return the attribute `name` of the study itself."""
        return getattr(self._study, name)

    def _get_trials(
        self,
        deepcopy: bool = True,
        states: Container[TrialState] | None = None,
        use_cache: bool = False,
    ) -> list[FrozenTrial]:
        """Return the shown trials in some states, None for all; they are never copied."""
        return [t for t in self._trials if states is None or t.state in states]


class IndependentTPE(TPESampler):
    """Optuna's TPE sampler that draws each hyperparameter by itself.

    Parts that Optuna keeps private are open to subclasses under the names below.
    """

    def __init__(self, *, num_random: int, seed: int | None) -> None:
        """Draw at random until `num_random` trials have ended; seed: None for a seed by chance."""
        super().__init__(n_startup_trials=num_random, seed=seed, multivariate=False)

    @property
    def num_random(self) -> int:
        """The number of ended trials from which on values are no longer drawn at random."""
        return self._n_startup_trials

    @property
    def num_candidates(self) -> int:
        """The number of values that are drawn for a hyperparameter; the best value is taken."""
        return self._n_ei_candidates

    @property
    def chance(self) -> np.random.RandomState:
        """The generator of this sampler's random numbers; each draw changes its state."""
        return self._rng.rng

    def draw_at_random(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        name: str,
        distribution: optuna.distributions.BaseDistribution,
    ) -> Any:
        """Return a random value of the hyperparameter `name`, as Optuna's random sampler does."""
        return self._random_sampler.sample_independent(study, trial, name, distribution)


def num_good_trials(num_ended: int, *, one_objective: bool) -> int:
    """Return how many of `num_ended` ended trials Optuna's TPE calls good.

    The number is a tenth, rounded up; with one objective it is at most 25. one_objective: whether
    the study has one objective, not two.
    """
    gamma = _tpe.default_gamma if one_objective else _tpe.default_gamma_multiobjective
    return gamma(num_ended)


def good_and_other_trials(
    study: optuna.Study, trials: list[FrozenTrial], num_good: int
) -> tuple[list[FrozenTrial], list[FrozenTrial]]:
    """Divide trials into the `num_good` best and the rest, as Optuna's TPE ranks trials.

    study: gives the directions. Return the good trials and the rest, each in the order of their
    numbers. Running trials are in the rest, so there may be fewer good trials than `num_good`.
    """
    return _tpe._split_trials(study, trials, num_good)


def trial_weights(num_trials: int) -> NDArray[np.float64]:
    """Return the weights [num_trials] that Optuna's TPE gives trials, the oldest trial first."""
    return np.asarray(_tpe.default_weights(num_trials), dtype=np.float64)
