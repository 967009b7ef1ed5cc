"""Which trials a sampler is shown: all at first, the best and the latest in a large study.

A draw from Optuna's TPE takes time in proportion to the number of trials that TPE sees, and old,
middling trials hardly count: TPE calls the best 25 good however many there are, and gives an
other trial less weight the older it is.
"""

import heapq
from collections.abc import Sequence

from optuna.trial import FrozenTrial, TrialState

NUM_BEST = 25  # as many as Optuna's TPE calls good, from 250 trials on
MOST_SHOWN = 250  # ended trials; a study with no more is shown whole
Merit = tuple[float, ...]


class TrialHistory:
    """The ended trials of a study, of which the best and the latest are kept.

    Each look enters the trials that have ended since the last look, so that the time of a look
    does not depend on the number of trials.
    """

    def __init__(self, blamed: str) -> None:
        """Take the user attribute that marks a failed trial which a sampler learns from."""
        self._blamed = blamed
        self._open: list[int] = []  # numbers of the trials that had not ended at the last look
        self._num_seen = 0
        self.num_ended = 0  # of which a sampler could learn
        self._best: list[FrozenTrial] = []
        self._latest: list[FrozenTrial] = []
        self.extremes: list[tuple[float, float]] = []  # lowest and highest value by objective

    def shown(self, trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
        """Return the trials that a sampler is to see, in the order of their numbers.

        trials: all trials of the study, in the order of their numbers. All running trials are
        shown, and at most 250 ended ones: the best 25, and the latest of the others. Lower values
        are better.
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
    """Return the `count` best trials as TPE ranks them: complete, then pruned, then infeasible."""
    if len(trials) <= count:
        return list(trials)
    fronts = _front_numbers(trials)
    return heapq.nsmallest(count, trials, key=lambda trial: _merit(trial, fronts))


def _merit(trial: FrozenTrial, fronts: dict[int, int]) -> Merit:
    """Return what trials are sorted by, lower is better.

    fronts: the number of the Pareto front of each trial with two objectives; trials of one front
    are sorted by the first objective.
    """
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
    """Return the Pareto front of each trial with two values, by trial number.

    0 is the outermost front. Both values are minimised.
    """
    left = [t for t in trials if t.values is not None and len(t.values) == 2]
    left.sort(key=lambda trial: trial.values)
    fronts: dict[int, int] = {}
    front = 0
    while left:
        least: float | None = None
        beaten: list[FrozenTrial] = []
        for trial in left:
            if least is None or trial.values[1] < least:  # each front has a trial, even of inf
                least = trial.values[1]
                fronts[trial.number] = front
            else:
                beaten.append(trial)
        left, front = beaten, front + 1
    return fronts
