"""Optuna's TPE sampler (Bergstra et al. 2011, NeurIPS), with draws in a fraction of the time.

The sampler draws each hyperparameter by itself. Optuna ranks the other trials anew for each
hyperparameter of a trial, translates their values anew, and estimates densities with code for
many dimensions. Here trials are ranked once for a trial, each value is translated once, and
parzen.py estimates one dimension.

The sampler may be shown only some trials (see shown_trials.py). The number of trials that it calls
good then follows from the number of trials in the whole study. That number is at most 25, also
with two objectives, for which Optuna has no such limit. A share of the trials may be drawn at
random, because TPE stays near good trials and would not find better trials elsewhere.
"""

from typing import Any

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState

from galaxytune.sampling.optuna_internals import (
    IndependentTPE,
    ShownStudy,
    good_and_other_trials,
    num_good_trials,
    trials_of,
)
from galaxytune.sampling.parzen import likeliest, parzen_estimate
from galaxytune.sampling.shown_trials import NUM_BEST


class QuickTPESampler(IndependentTPE):
    """A TPE sampler for one study, in which one trial is drawn after the other.

    The other trials of the study must not change while a trial is drawn.

    good_trials: the trials that TPE called good when it last ranked the trials, in the order of
    their numbers; [] before.
    """

    def __init__(
        self, *, num_random: int = 10, random_share: float = 0.0, seed: int | None = None
    ) -> None:
        """Make a sampler that draws at random until `num_random` trials have ended.

        See `num_ended` for what counts as ended. random_share: the probability, in 0..1, that a
        later trial is drawn at random. seed: the random seed, None for a seed by chance.
        """
        super().__init__(num_random=num_random, seed=seed)
        self._decided = -1  # number of the trial that `_is_random` is about
        self._is_random = True
        self._drawn = -1  # number of the trial for which the others were divided last
        self._random_share = random_share
        self.good_trials: list[FrozenTrial] = []
        self._good = self._other = np.empty((0, 0))  # values [N, H] of H hyperparameters
        self._columns: dict[str, int] = {}  # the column of each hyperparameter, by name
        self._rows: dict[int, NDArray[np.float64]] = {}  # the rows of ended trials, by number

    def draws_at_random(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        """Return whether all values of a trial are drawn at random.

        The first call for a trial decides, perhaps by a random number. The answer stays the same
        until the method is called for another trial.
        """
        if trial.number != self._decided:
            num_known = num_ended(study, other_trials(study, trial))
            self._is_random = num_known < self.num_random or self._tosses_random()
            self._decided = trial.number
        return self._is_random

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Return a value of the hyperparameter `param_name`, drawn as Optuna's TPESampler does.

        The value is drawn at random if `draws_at_random` says so. Otherwise it is the most
        promising of `num_candidates` values; the first call for a trial ranks the other trials and
        sets `good_trials`. The value is of the type that `param_distribution` gives users, such as
        int or a choice. A distribution that is no choice and no number raises TypeError.
        """
        if self.draws_at_random(study, trial):
            return self.draw_at_random(study, trial, param_name, param_distribution)
        if trial.number != self._drawn:
            self._divide(study, trial)
        good = parzen_estimate(self._seen(self._good, param_name), param_distribution)
        other = parzen_estimate(self._seen(self._other, param_name), param_distribution)
        drawn = good.draw(self.chance, self.num_candidates)
        return param_distribution.to_external_repr(likeliest(good, other, drawn))

    def _divide(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Divide the trials other than `trial` into good trials and the rest.

        The good trials are stored in `good_trials`. The number of good trials is at most a tenth
        of the ended trials, rounded up, and at most NUM_BEST. The values of the good trials are
        stored in `_good`, and the values of the rest in `_other`, as tables (see `_table`). All
        hyperparameters of `trial` are drawn from this division. Rows of trials that the study no
        longer shows are dropped from `_rows`.

        study: the study, or a ShownStudy. See `other_trials` for the trials that are divided.
        """
        trials = other_trials(study, trial)
        one_objective = len(study.directions) == 1
        num_known = num_ended(study, trials)
        num_good = min(num_good_trials(num_known, one_objective=one_objective), NUM_BEST)
        self.good_trials, other = good_and_other_trials(study, trials, num_good)
        rows = [[self._known_row(t) for t in side] for side in (self.good_trials, other)]
        self._good, self._other = map(self._table, rows)
        shown = {t.number for t in trials}
        self._rows = {number: row for number, row in self._rows.items() if number in shown}
        self._drawn = trial.number

    def _tosses_random(self) -> bool:
        """Return True with the probability `random_share`."""
        return self._random_share > 0 and self.chance.random() < self._random_share

    def _table(self, rows: list[NDArray[np.float64]]) -> NDArray[np.float64]:
        """Return the rows of N trials as one table [N, H] of the H hyperparameters known so far.

        rows: what `_known_row` returned. NaN stands where a trial lacks a hyperparameter.
        """
        table = np.full((len(rows), len(self._columns)), np.nan)
        for number, row in enumerate(rows):
            table[number, : len(row)] = row  # a row may be older than the last columns
        return table

    def _known_row(self, trial: FrozenTrial) -> NDArray[np.float64]:
        """Return a trial's row (see `_row`); the row of an ended trial is made once and kept."""
        row = self._rows.get(trial.number)
        if row is None:
            row = self._row(trial)
            if trial.state.is_finished():
                self._rows[trial.number] = row
        return row

    def _row(self, trial: FrozenTrial) -> NDArray[np.float64]:
        """Return a trial's values in Optuna's internal representation, one for each column.

        A hyperparameter that no trial had before gets a new column. A column whose hyperparameter
        the trial does not have is NaN.
        """
        values = {
            self._columns.setdefault(name, len(self._columns)): distribution.to_internal_repr(
                trial.params[name]
            )
            for name, distribution in trial.distributions.items()
        }
        row = np.full(len(self._columns), np.nan)
        row[list(values)] = list(values.values())
        return row

    def _seen(self, table: NDArray[np.float64], name: str) -> NDArray[np.float64]:
        """Return the values of the hyperparameter `name` in a table [N, H], without NaN.

        The result is empty if no trial of the table has the hyperparameter.
        """
        column = self._columns.get(name)
        if column is None:
            return np.empty(0)
        values = table[:, column]
        return values[~np.isnan(values)]


def other_trials(study: optuna.Study, trial: FrozenTrial) -> list[FrozenTrial]:
    """Return the complete, pruned and running trials of a study, except `trial`, by number.

    These are the trials that a sampler learns from while it draws `trial`; [] if there are none.
    Of a ShownStudy the shown trials are returned. The trials are not copies and must not be
    changed.
    """
    states = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)
    return [t for t in trials_of(study, states) if t.number != trial.number]


def num_ended(study: optuna.Study, trials: list[FrozenTrial]) -> int:
    """Return how many trials of a study have ended, as far as a sampler can learn from them.

    For a ShownStudy the number is its `num_ended`. `FailureAwareSampler` counts there also trials
    that are not shown, and trials that have reported an epoch and have not ended. For any other
    study the number is that of the trials in `trials` that do not run. trials: what `other_trials`
    returned for the study.
    """
    if isinstance(study, ShownStudy):
        return study.num_ended
    return sum(t.state != TrialState.RUNNING for t in trials)
