"""The choice of the trials that a sampler is shown: in a large study the best and the latest.

A draw from Optuna's TPE takes time in proportion to the number of trials that TPE sees. Old trials
that are not among the best hardly count: TPE calls at most 25 trials good, and of the others an
older trial has less weight.
"""

import heapq
from collections.abc import Sequence

from optuna.trial import FrozenTrial, TrialState

NUM_BEST = 25  # the number of trials that Optuna's TPE calls good if there are over 240
MOST_SHOWN = 250  # of the trials that have ended; a study with no more is shown whole
Merit = tuple[float, ...]


class TrialHistory:
    """A memory of the trials of one study, which keeps the best and the latest ended trials.

    Each call of `shown` takes in the trials that have ended since the last call, so the time of a
    call hardly depends on the number of trials. The attributes are as of the last call.

    num_ended: number of ended trials that a sampler can learn from, shown or not. A failed trial
        counts only if its config made it fail.
    extremes: the lowest and the highest value of all complete trials, as one pair for each
        objective; [] while no trial is complete.
    """

    def __init__(self, blamed: str) -> None:
        """Make a memory of no trials.

        blamed: name of the user attribute of a failed trial that its config made fail.
        """
        self._blamed = blamed
        self._open: list[int] = []  # numbers of the trials that had not ended at the last call
        self._num_seen = 0
        self.num_ended = 0
        self._best: list[FrozenTrial] = []
        self._latest: list[FrozenTrial] = []
        self.extremes: list[tuple[float, float]] = []

    def shown(self, trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
        """Return the trials that a sampler is to see, in the order of their numbers.

        trials: all trials of the study; the trial with number n is `trials[n]`. All running trials
        are shown, and at most 250 ended trials: the best 25 and the latest of the others. Lower
        values are better. A failed trial is never among the best, and is shown only if its config
        made it fail. Queued trials are not shown. The trials are the objects in `trials`, or for
        ended trials perhaps those of an earlier call; they must not be changed. The list is empty
        if no trial has begun.
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
        """Take in trials that have ended since the last call of `shown`."""
        for trial in ended:
            if trial.state == TrialState.COMPLETE and trial.values:
                self._stretch(trial.values)
        blamed = [t for t in ended if t.state == TrialState.FAIL and self._blamed in t.user_attrs]
        others = [t for t in ended if t.state != TrialState.FAIL]
        self.num_ended += len(others) + len(blamed)
        self._best = _best([*self._best, *others], NUM_BEST)
        self._latest = sorted([*self._latest, *others, *blamed], key=_number)[-MOST_SHOWN:]

    def _stretch(self, values: Sequence[float]) -> None:
        """Widen `extremes` by the values of a complete trial, one for each objective."""
        before = self.extremes or [(v, v) for v in values]
        self.extremes = [(min(a, v), max(b, v)) for (a, b), v in zip(before, values)]


def _number(trial: FrozenTrial) -> int:
    return trial.number


def _best(trials: Sequence[FrozenTrial], count: int) -> list[FrozenTrial]:
    """Return the `count` best of some ended trials: complete, then pruned, then infeasible ones.

    Among complete trials with one objective, pruned trials and infeasible trials, the order is
    that of Optuna's TPE (see `_merit`). The result is sorted, the best trial first; with no more
    than `count` trials all are returned in the given order.
    """
    if len(trials) <= count:
        return list(trials)
    fronts = _front_numbers(trials)
    return heapq.nsmallest(count, trials, key=lambda trial: _merit(trial, fronts))


def _merit(trial: FrozenTrial, fronts: dict[int, int]) -> Merit:
    """Return the tuple by which ended trials are sorted; a lower tuple is better.

    The first number is 0 for a complete trial, 1 for a pruned trial, and 2 for a trial that breaks
    a constraint. Complete trials then differ by Pareto front and first objective, pruned trials by
    last epoch (later is better) and RMSE at that epoch, infeasible trials by the sum of the
    amounts by which constraints are broken.

    fronts: what `_front_numbers` returned for the trials.
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
    """Return the number of the Pareto front of each trial that has two values, by trial number.

    Both values are minimised. Front 0 holds the trials that no trial beats, front 1 the trials
    that only trials of front 0 beat, and so on. Of several trials that are equal in both values,
    each is in a later front than the one before. The mapping is {} for trials with one objective.
    """
    left = [t for t in trials if t.values is not None and len(t.values) == 2]
    left.sort(key=lambda trial: trial.values)
    fronts: dict[int, int] = {}
    front = 0
    while left:
        least: float | None = None
        beaten: list[FrozenTrial] = []
        for trial in left:
            if least is None or trial.values[1] < least:  # a front has a trial, even of inf
                least = trial.values[1]
                fronts[trial.number] = front
            else:
                beaten.append(trial)
        left, front = beaten, front + 1
    return fronts
