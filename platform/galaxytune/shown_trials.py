"""Which trials a sampler is shown: all of them at first, the best and the latest later on.

A draw from Optuna's TPE takes time in proportion to the trials that it sees, and old, middling
ones hardly count: it calls the best 25 good however many there are, and gives the others less
weight the older they are.
"""

import heapq
from collections.abc import Container, Sequence
from typing import Any

import optuna
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

NUM_BEST = 25  # as many as Optuna's TPE calls good, from 250 trials on
MOST_SHOWN = 250  # of those that have ended; up to here nothing is left out
Merit = tuple[float, ...]


class ShownStudy:
    """A study as a sampler sees it: some of its trials; all else is passed on.

    direction: of the values that stopped trials are ranked by, which are RMSEs whatever the number
    of objectives; Optuna's own study refuses to say where there are two.
    """

    direction = StudyDirection.MINIMIZE

    def __init__(self, study: optuna.Study, trials: Sequence[FrozenTrial], num_ended: int) -> None:
        """`num_ended` trials of the study count, these among them."""
        self._study, self._trials, self.num_ended = study, trials, num_ended

    def __getattr__(self, name: str) -> Any:
        """What the study itself has."""
        return getattr(self._study, name)

    def _get_trials(
        self,
        deepcopy: bool = True,
        states: Container[TrialState] | None = None,
        use_cache: bool = False,
    ) -> list[FrozenTrial]:
        return [t for t in self._trials if states is None or t.state in states]


class TrialHistory:
    """Ended trials in the order of their numbers, of which it remembers the best and the latest.

    What is kept grows by what has ended since the last look, so that a look costs the same
    whatever the number of trials.
    """

    def __init__(self, blamed: str) -> None:
        """Nothing has ended yet. Failed trials count if they have the user attribute `blamed`."""
        self._blamed = blamed
        self._open: list[int] = []  # numbers of those looked at that had not ended
        self._num_seen = 0
        self.num_ended = 0  # of which a sampler could learn
        self._best: list[FrozenTrial] = []
        self._latest: list[FrozenTrial] = []
        self.extremes: list[tuple[float, float]] = []  # lowest and highest value by objective

    def shown(self, trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
        """Those of a study's trials, all in the order of numbers, that a sampler is to see.

        All that have not ended, the best NUM_BEST, and of the others the latest: MOST_SHOWN that
        have ended. Lower values are better.
        """
        looked_at = [*self._open, *range(self._num_seen, len(trials))]
        unknown = [trials[number] for number in looked_at]
        self._num_seen = len(trials)
        self._open = [t.number for t in unknown if not t.state.is_finished()]
        running = [t for t in unknown if t.state == TrialState.RUNNING]
        self._enter([t for t in unknown if t.state.is_finished()])
        best = {trial.number for trial in self._best}
        others = [trial for trial in self._latest if trial.number not in best]
        latest = others[-(MOST_SHOWN - len(best)) :]
        return sorted([*self._best, *latest, *running], key=_number)

    def _enter(self, ended: Sequence[FrozenTrial]) -> None:
        for trial in ended:
            if trial.state == TrialState.COMPLETE and trial.values:
                self._stretch(trial.values)
        blamed = [t for t in ended if t.state == TrialState.FAIL and self._blamed in t.user_attrs]
        others = [t for t in ended if t.state != TrialState.FAIL]
        self.num_ended += len(others) + len(blamed)
        self._best = _best([*self._best, *others], NUM_BEST)
        self._latest = sorted([*self._latest, *others, *blamed], key=_number)[-MOST_SHOWN:]

    def _stretch(self, values: Sequence[float]) -> None:
        before = self.extremes or [(v, v) for v in values]
        self.extremes = [(min(a, v), max(b, v)) for (a, b), v in zip(before, values)]


def _number(trial: FrozenTrial) -> int:
    return trial.number


def _best(trials: Sequence[FrozenTrial], count: int) -> list[FrozenTrial]:
    """The best of some trials, as TPE ranks them: complete, then pruned, then infeasible ones."""
    if len(trials) <= count:
        return list(trials)
    fronts = _front_numbers(trials)
    return heapq.nsmallest(count, trials, key=lambda trial: _merit(trial, fronts))


def _merit(trial: FrozenTrial, fronts: dict[int, int]) -> Merit:
    """Lower is better. Several objectives are ranked by their Pareto fronts, then by the first."""
    excess = sum(value for value in trial.constraints.values() if value > 0)
    if excess > 0:
        return 2, excess
    if trial.state == TrialState.COMPLETE and trial.values:
        return 0, fronts.get(trial.number, 0), trial.values[0]
    if not trial.intermediate_values:
        return 1, 1.0, 0.0
    last = max(trial.intermediate_values)
    return 1, -last, trial.intermediate_values[last]


def _front_numbers(trials: Sequence[FrozenTrial]) -> dict[int, int]:
    """The Pareto front, 0 the outermost, of each trial with two values; both are minimised."""
    left = [t for t in trials if t.values is not None and len(t.values) == 2]
    left.sort(key=lambda trial: trial.values)
    fronts: dict[int, int] = {}
    front = 0
    while left:
        least, beaten = float("inf"), []
        for trial in left:
            if trial.values[1] < least:
                least = trial.values[1]
                fronts[trial.number] = front
            else:
                beaten.append(trial)
        left, front = beaten, front + 1
    return fronts
