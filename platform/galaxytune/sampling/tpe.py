"""Optuna's TPE sampler of each hyperparameter by itself, with draws in a fraction of the time.

Optuna ranks the other trials anew for each hyperparameter of a trial, translates their values
anew, and estimates densities with code for many dimensions. Here trials are ranked once for a
draw, each value is translated once, and parzen.py estimates one dimension.

Split a thinned study (shown_trials.py): the number of good trials follows from the full study,
and is at most 25, also with two objectives, where Optuna has no such limit. A share of the trials
may be drawn at random, because TPE stays near good trials and would not find better ones
elsewhere.
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
    """TPE for one study, whose other trials do not change while one trial is drawn."""

    def __init__(
        self, *, num_random: int = 10, random_share: float = 0.0, seed: int | None = None
    ) -> None:
        """Draw the first `num_random` trials at random, later ones with that probability."""
        super().__init__(num_random=num_random, seed=seed)
        self._decided = -1  # number of the trial for which `_is_random` holds
        self._is_random = True
        self._drawn = -1  # number of the trial for which the others are divided
        self._random_share = random_share
        self.good_trials: list[FrozenTrial] = []
        self._good = self._other = np.empty((0, 0))  # values [N, H] of H hyperparameters
        self._columns: dict[str, int] = {}  # of the hyperparameters
        self._rows: dict[int, NDArray[np.float64]] = {}  # of ended trials, by number

    def draws_at_random(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        """Return whether a trial is drawn at random; the answer for one trial stays the same."""
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
        """Return a value of a hyperparameter, drawn as Optuna's TPESampler draws it."""
        if self.draws_at_random(study, trial):
            return self.draw_at_random(study, trial, param_name, param_distribution)
        if trial.number != self._drawn:
            self._divide(study, trial)
        good = parzen_estimate(self._seen(self._good, param_name), param_distribution)
        other = parzen_estimate(self._seen(self._other, param_name), param_distribution)
        drawn = good.draw(self.chance, self.num_candidates)
        return param_distribution.to_external_repr(likeliest(good, other, drawn))

    def _divide(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Divide the other trials into good ones and the rest, for all hyperparameters."""
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
        return self._random_share > 0 and self.chance.random() < self._random_share

    def _table(self, rows: list[NDArray[np.float64]]) -> NDArray[np.float64]:
        """Return the values [N, H] of N trials; NaN where a trial has no such hyperparameter."""
        table = np.full((len(rows), len(self._columns)), np.nan)
        for number, row in enumerate(rows):
            table[number, : len(row)] = row  # a row may be older than the last columns
        return table

    def _known_row(self, trial: FrozenTrial) -> NDArray[np.float64]:
        """Return a trial's row; the row of an ended trial is made once."""
        row = self._rows.get(trial.number)
        if row is None:
            row = self._row(trial)
            if trial.state.is_finished():
                self._rows[trial.number] = row
        return row

    def _row(self, trial: FrozenTrial) -> NDArray[np.float64]:
        """Return a trial's values in Optuna's internal representation, one for each column."""
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
        """Return a hyperparameter's values in a table, of the trials that have the parameter."""
        column = self._columns.get(name)
        if column is None:
            return np.empty(0)
        values = table[:, column]
        return values[~np.isnan(values)]


def other_trials(study: optuna.Study, trial: FrozenTrial) -> list[FrozenTrial]:
    """Return the trials of a study that a sampler learns from while it draws `trial`."""
    states = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)
    return [t for t in trials_of(study, states) if t.number != trial.number]


def num_ended(study: optuna.Study, trials: list[FrozenTrial]) -> int:
    """Return how many trials of the study have ended, also those that are not shown.

    trials: the trials of the study that are shown.
    """
    if isinstance(study, ShownStudy):
        return study.num_ended
    return sum(t.state != TrialState.RUNNING for t in trials)
