"""Asynchronous successive halving (Li et al. 2020, MLSys) whose rungs are a study's curves.

A trial pauses at a rung until it is among the best that have come there, and then goes on from its
checkpoint; to stop it for good would be to judge it by the few that happened to come before it.
"""

import bisect
import math
from collections.abc import Mapping, Sequence
from typing import Any

Curve = Sequence[Mapping[str, Any]]


class Rungs:
    """At certain epochs trials pause; the best 1/eta of those that have come there go on.

    paused: trials, and after which epoch they pause. As more come, some of them come to be among
    the best; some never will, and there is no need to keep those.
    """

    def __init__(self, *, grace_epochs: int, reduction_factor: int, max_epochs: int) -> None:
        """Rungs at grace, grace x eta, grace x eta^2 ... below max_epochs; maybe none."""
        self.reduction_factor = reduction_factor
        self.paused: dict[str, int] = {}
        self._values: dict[int, dict[str, float]] = {}
        self._ordered: dict[int, list[tuple[float, str]]] = {}  # the same, the lowest first
        for epoch in rung_epochs(grace_epochs, max_epochs, reduction_factor)[:-1]:
            self._values[epoch], self._ordered[epoch] = {}, []

    @property
    def counts(self) -> dict[int, int]:
        """How many trials have come to each rung, by its epoch."""
        return {epoch: len(rung) for epoch, rung in self._values.items()}

    def enter(self, trial_id: str, curve: Curve) -> None:
        """Enter a trial at the rungs that its curve has reached, by its lowest RMSE there."""
        for epoch, rung in self._values.items():
            if epoch > len(curve):
                return
            if trial_id not in rung:
                rung[trial_id] = value = lowest(curve, epoch)
                bisect.insort(self._ordered[epoch], (value, trial_id))

    def may_pass(self, trial_id: str, epoch: int, *, is_last_call: bool = False) -> bool:
        """Whether a trial that was entered goes on after an epoch; always where there is no rung.

        With `is_last_call` the best of a rung goes on however few have come there.
        """
        if epoch not in self._values:
            return True
        num_passing = self._come(epoch) // self.reduction_factor
        return self._rank(trial_id, epoch) < max(num_passing, int(is_last_call))

    def promotable(self, *, is_last_call: bool = False) -> list[str]:
        """Paused trials that may go on, those that have come furthest first, then the best."""
        found = [
            (-epoch, self._rank(trial_id, epoch), trial_id)
            for trial_id, epoch in self.paused.items()
            if self.may_pass(trial_id, epoch, is_last_call=is_last_call)
        ]
        return [trial_id for *_, trial_id in sorted(found)]

    def hopeless(self, num_trials: int) -> list[str]:
        """Paused trials that will hardly be among the best, of a study of so many trials.

        Those that cannot be, and those whose rank is worse than the last that passes by more than
        the square root of the number that have come: two standard deviations at least, if trials
        come in no order of merit.
        """
        return [
            trial_id
            for trial_id, epoch in self.paused.items()
            if self._rank(trial_id, epoch) >= self._num_hopeful(epoch, num_trials)
        ]

    def least_hopeful(self) -> str:
        """The paused trial that stands furthest behind in its rung; ValueError if none pauses."""
        behind = {i: self._rank(i, e) / max(1, self._come(e)) for i, e in self.paused.items()}
        return max(behind, key=behind.__getitem__)

    def _num_hopeful(self, epoch: int, num_trials: int) -> int:
        num_come = self._come(epoch)
        hopeful = num_come // self.reduction_factor + num_hopeful(num_come)
        return max(1, min(hopeful, num_trials // self.reduction_factor))

    def _come(self, epoch: int) -> int:
        return len(self._values.get(epoch, ()))

    def _rank(self, trial_id: str, epoch: int) -> int:
        """0 is the best of the epoch's rung; 0 also where there is none."""
        if epoch not in self._values:
            return 0
        value = self._values[epoch][trial_id]
        return bisect.bisect_left(self._ordered[epoch], (value, trial_id))


def num_hopeful(num_come: int) -> int:
    """How many may pause at a rung to which so many have come, besides those that may pass."""
    return math.ceil(math.sqrt(num_come))


def lowest(curve: Curve, epoch: int) -> float:
    """The lowest validation RMSE of the first `epoch` epochs."""
    return float(min(report["val_rmse"] for report in curve[:epoch]))


def rung_epochs(first_epoch: int, num_epochs: int, reduction_factor: int) -> list[int]:
    """The rungs from `first_epoch` on of a training of `num_epochs`, and its last epoch."""
    epochs, epoch = [], first_epoch
    while epoch < num_epochs:
        epochs.append(epoch)
        epoch *= reduction_factor
    return [*epochs, num_epochs]
