"""Optuna's TPE sampler of each hyperparameter by itself: its draws in a fraction of the time.

For each hyperparameter of a trial Optuna ranks the other trials anew, translates their values anew
and estimates densities with what is made for many dimensions. Here trials are ranked once for a
draw, a value is translated once, and parzen.py estimates. Of a study that shows the best and the
latest trials alone it calls as many good as of the whole; with two objectives 25 at most, too,
where Optuna goes on counting. A share of the trials may be drawn at random: TPE keeps to what was
good, and would not come to what is better elsewhere.
"""

from typing import Any

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution
from optuna.samplers import TPESampler
from optuna.samplers._tpe import sampler as tpe
from optuna.trial import FrozenTrial, TrialState

from galaxytune.parzen import likeliest, parzen_estimate
from galaxytune.shown_trials import NUM_BEST, ShownStudy


class QuickTPESampler(TPESampler):
    """TPE for one study, whose other trials do not change while one of them is drawn."""

    def __init__(
        self, *, num_random: int = 10, random_share: float = 0.0, seed: int | None = None
    ) -> None:
        """`num_random` trials are drawn at random first, later ones with that probability."""
        super().__init__(n_startup_trials=num_random, seed=seed, multivariate=False)
        self._decided = -1  # the number of the trial that is known to be drawn at random or not
        self._is_random = True  # whether it is
        self._drawn = -1  # the number of the trial for which the others are divided
        self._random_share = random_share
        self.good_trials: list[FrozenTrial] = []
        self._good = self._other = np.empty((0, 0))  # values [N, H] of H hyperparameters
        self._places: dict[str, int] = {}  # of the hyperparameters
        self._rows: dict[int, NDArray[np.float64]] = {}  # of ended trials by number

    def draws_at_random(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        """Whether a trial is one of those drawn at random."""
        if trial.number != self._decided:
            num_known = num_ended(study, other_trials(study, trial))
            self._is_random = num_known < self._n_startup_trials or self._tosses_random()
            self._decided = trial.number
        return self._is_random

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Draw a value, as TPESampler does."""
        if self.draws_at_random(study, trial):
            return self._random_sampler.sample_independent(
                study, trial, param_name, param_distribution
            )
        if trial.number != self._drawn:
            self._divide(study, trial)
        good = parzen_estimate(self._seen(self._good, param_name), param_distribution)
        other = parzen_estimate(self._seen(self._other, param_name), param_distribution)
        drawn = good.draw(self._rng.rng, self._n_ei_candidates)
        return param_distribution.to_external_repr(likeliest(good, other, drawn))

    def _divide(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Divide the other trials into the good ones and the rest, for all hyperparameters."""
        trials = other_trials(study, trial)
        one_objective = len(study.directions) == 1
        gamma = tpe.default_gamma if one_objective else tpe.default_gamma_multiobjective
        num_good = min(gamma(num_ended(study, trials)), NUM_BEST)
        self.good_trials, other = tpe._split_trials(study, trials, num_good)
        rows = [[self._known_row(t) for t in side] for side in (self.good_trials, other)]
        self._good, self._other = map(self._table, rows)
        shown = {t.number for t in trials}
        self._rows = {number: row for number, row in self._rows.items() if number in shown}
        self._drawn = trial.number

    def _tosses_random(self) -> bool:
        return self._random_share > 0 and self._rng.rng.random() < self._random_share

    def _table(self, rows: list[NDArray[np.float64]]) -> NDArray[np.float64]:
        """The values of [N] trials, NaN where a trial has no such hyperparameter."""
        table = np.full((len(rows), len(self._places)), np.nan)
        for number, row in enumerate(rows):
            table[number, : len(row)] = row  # others may have come after it
        return table

    def _known_row(self, trial: FrozenTrial) -> NDArray[np.float64]:
        """A trial's row; that of one that has ended is made once."""
        row = self._rows.get(trial.number)
        if row is None:
            row = self._row(trial)
            if trial.state.is_finished():
                self._rows[trial.number] = row
        return row

    def _row(self, trial: FrozenTrial) -> NDArray[np.float64]:
        """A trial's values in Optuna's internal representation."""
        values = {
            self._places.setdefault(name, len(self._places)): distribution.to_internal_repr(
                trial.params[name]
            )
            for name, distribution in trial.distributions.items()
        }
        row = np.full(len(self._places), np.nan)
        row[list(values)] = list(values.values())
        return row

    def _seen(self, table: NDArray[np.float64], name: str) -> NDArray[np.float64]:
        """A hyperparameter's values in a table, of those trials that have it."""
        place = self._places.get(name)
        if place is None:
            return np.empty(0)
        column = table[:, place]
        return column[~np.isnan(column)]


def other_trials(study: optuna.Study, trial: FrozenTrial) -> list[FrozenTrial]:
    """Those of a study that a sampler learns from while it draws a trial."""
    states = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)
    trials = study._get_trials(deepcopy=False, states=states)
    return [t for t in trials if t.number != trial.number]


def num_ended(study: optuna.Study, trials: list[FrozenTrial]) -> int:
    """How many trials of the study have ended, those that are not shown included."""
    if isinstance(study, ShownStudy):
        return study.num_ended
    return sum(t.state != TrialState.RUNNING for t in trials)
