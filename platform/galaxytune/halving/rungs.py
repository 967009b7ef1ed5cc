"""Asynchronous successive halving (Li et al. 2020, MLSys) with rungs made from a study's curves.

A trial pauses at a rung until it is among the best trials that have come to the rung, and then
goes on from its checkpoint. If the trial ended at the rung instead, it would be judged only
against the few trials that happened to come before it.
"""

import bisect
import math

from trainables.training import Curve


class Rungs:
    """Epochs at which trials pause; the best 1/eta of the trials that have come to a rung go on.

    reduction_factor: eta.
    paused: the epoch at which each paused trial pauses, by trial id. The caller adds and removes
        the trials; the methods only read the mapping. As more trials come to a rung, some paused
        trials become one of the best. Other paused trials never will, and need not be kept.
    """

    def __init__(self, *, grace_epochs: int, reduction_factor: int, max_epochs: int) -> None:
        """Make rungs at the epochs grace, grace x eta, grace x eta^2, ... below `max_epochs`.

        grace_epochs: epoch of the first rung, from 1. reduction_factor: eta, from 2. There are no
        rungs if `grace_epochs` is not below `max_epochs`.
        """
        self.reduction_factor = reduction_factor
        self.paused: dict[str, int] = {}
        self._values: dict[int, dict[str, float]] = {}
        self._ordered: dict[int, list[tuple[float, str]]] = {}  # the same values, sorted
        for epoch in rung_epochs(grace_epochs, max_epochs, reduction_factor)[:-1]:
            self._values[epoch], self._ordered[epoch] = {}, []

    @property
    def counts(self) -> dict[int, int]:
        """The number of trials that have come to each rung, by epoch; {} if there are no rungs."""
        return {epoch: len(rung) for epoch, rung in self._values.items()}

    def enter(self, trial_id: str, curve: Curve) -> None:
        """Enter a trial at each rung that its curve has reached and that does not hold the trial.

        curve: the trial's epochs from the first on. The trial's value at a rung is the lowest
        validation RMSE up to that rung.
        """
        for epoch, rung in self._values.items():
            if epoch > len(curve):
                return
            if trial_id not in rung:
                rung[trial_id] = value = lowest(curve, epoch)
                bisect.insort(self._ordered[epoch], (value, trial_id))

    def may_pass(self, trial_id: str, epoch: int, *, is_last_call: bool = False) -> bool:
        """Return whether a trial that was entered goes on after an epoch.

        The result is True if the epoch has no rung, or if the trial is among the best 1/eta of the
        trials at the rung; their number is rounded down. Of equal trials the lower id is better.
        is_last_call: if True, the best trial of a rung goes on even if few trials have come to the
        rung. KeyError if the rung does not hold the trial.
        """
        if epoch not in self._values:
            return True
        num_passing = self._come(epoch) // self.reduction_factor
        return self._rank(trial_id, epoch) < max(num_passing, int(is_last_call))

    def promotable(self, *, is_last_call: bool = False) -> list[str]:
        """Return the ids of paused trials that may go on: the latest rung first, then by rank.

        is_last_call: see `may_pass`. The list is empty if no paused trial may go on. The trials
        stay in `paused`.
        """
        found = [
            (-epoch, self._rank(trial_id, epoch), trial_id)
            for trial_id, epoch in self.paused.items()
            if self.may_pass(trial_id, epoch, is_last_call=is_last_call)
        ]
        return [trial_id for *_, trial_id in sorted(found)]

    def hopeless(self, num_trials: int) -> list[str]:
        """Return the ids of the paused trials that will hardly be among the best of their rung.

        num_trials: number of trials of the study that can come to a rung. A trial is hopeless if
        it cannot be among the best when all trials have come, or if its rank is worse than the
        last rank that passes by more than the square root of the number of trials at the rung.
        This difference is at least two standard deviations if the trials come in random order. The
        best trial of a rung is never hopeless. The list is empty if no paused trial is hopeless;
        the trials stay in `paused`.
        """
        return [
            trial_id
            for trial_id, epoch in self.paused.items()
            if self._rank(trial_id, epoch) >= self._num_hopeful(epoch, num_trials)
        ]

    def least_hopeful(self) -> str:
        """Return the id of the paused trial with the worst rank, relative to the size of its rung.

        ValueError if no trial pauses. The trial stays in `paused`.
        """
        behind = {i: self._rank(i, e) / max(1, self._come(e)) for i, e in self.paused.items()}
        return max(behind, key=behind.__getitem__)

    def _num_hopeful(self, epoch: int, num_trials: int) -> int:
        """Return the number of ranks at a rung, from the best, that are not hopeless; at least 1.

        num_trials: see `hopeless`.
        """
        num_come = self._come(epoch)
        hopeful = num_come // self.reduction_factor + num_hopeful(num_come)
        return max(1, min(hopeful, num_trials // self.reduction_factor))

    def _come(self, epoch: int) -> int:
        """Return the number of trials at the rung of an epoch; 0 if there is no rung."""
        return len(self._values.get(epoch, ()))

    def _rank(self, trial_id: str, epoch: int) -> int:
        """Return a trial's rank at the rung of an epoch, 0 for the best; 0 if there is no rung.

        KeyError if the rung does not hold the trial.
        """
        if epoch not in self._values:
            return 0
        value = self._values[epoch][trial_id]
        return bisect.bisect_left(self._ordered[epoch], (value, trial_id))


def num_hopeful(num_come: int) -> int:
    """Return how many trials may pause at a rung: the square root of `num_come`, rounded up.

    num_come: number of trials that have come to the rung. The trials that may pass the rung are
    not counted in the result.
    """
    return math.ceil(math.sqrt(num_come))


def lowest(curve: Curve, epoch: int) -> float:
    """Return the lowest validation RMSE in the first `epoch` epochs of a curve.

    epoch: at least 1. ValueError if the curve is empty.
    """
    return min(report.val_rmse for report in curve[:epoch])


def rung_epochs(first_epoch: int, num_epochs: int, reduction_factor: int) -> list[int]:
    """Return the epochs of the rungs, followed by the last epoch of the training.

    first_epoch: epoch of the first rung, from 1. num_epochs: the last epoch of the training.
    reduction_factor: from 2. The rungs lie at `first_epoch` and at its multiples by powers of
    `reduction_factor`, below `num_epochs`. Without rungs the list is [num_epochs].
    """
    epochs, epoch = [], first_epoch
    while epoch < num_epochs:
        epochs.append(epoch)
        epoch *= reduction_factor
    return [*epochs, num_epochs]
