"""The budget of a study: when a limit is reached, no trial starts and running trials end."""

import itertools
import time
from collections.abc import Iterable

from analysis.records import TrialRecord
from galaxytune.plan import StudyPlan
from trainables.training import Curve, EpochReport


class Budget:
    """The limits of a plan, except its number of trials, and what was spent of each limit.

    The limits are `max_hours`, `max_device_hours`, `target_rmse` and `plateau_trials`. The budget
    is checked at every report. Therefore sums are kept instead of counting again.

    plan: the plan with the limits.
    """

    def __init__(
        self, plan: StudyPlan, records: Iterable[TrialRecord], curves: Iterable[Curve]
    ) -> None:
        """Count what earlier drivers have spent; the clock of `max_hours` starts now.

        records: the trials that have ended, in the order of their ends. curves: the reported
        epochs of each trial, ended or not.
        """
        self.plan = plan
        self._started = time.monotonic()
        self._share = plan.gpus_per_trial or plan.cpus_per_trial
        self._seconds = 0.0
        self._best, self._since_best = float("inf"), 0
        for report in itertools.chain.from_iterable(curves):
            self.spend(report)
        for record in records:
            self.enter(record)

    def spend(self, report: EpochReport) -> None:
        """Add the seconds of a reported epoch; each epoch of each trial must be given once."""
        self._seconds += report.seconds

    @property
    def device_share(self) -> float:
        """The share of `max_device_hours` that is spent; 0 without this limit."""
        hours = self.plan.max_device_hours
        return 0.0 if hours is None else self._device_hours() / hours

    def enter(self, record: TrialRecord) -> None:
        """Count a trial that has ended, of any status.

        Trials must be given in the order in which they ended. Only a complete trial can become the
        best trial. A trial with a further seed does not count for `plateau_trials`, because it
        searches for no better config.
        """
        self._since_best += not record.further_seed
        value = record.val_rmse if record.status == "complete" else None
        if value is not None and value < self._best:
            self._best, self._since_best = value, 0

    def reached(self) -> str | None:
        """Return which limit is reached, in words; None while no limit is reached.

        Of several limits that are reached, one is named. Device-hours are the seconds of the
        reported epochs times a trial's GPUs, or its CPUs if it has no GPU.
        """
        plan, best = self.plan, self._best
        hours = (time.monotonic() - self._started) / 3600
        if plan.max_hours is not None and hours >= plan.max_hours:
            return f"{plan.max_hours:g} hours have passed"
        if plan.max_device_hours is not None:
            if self._device_hours() >= plan.max_device_hours:
                return f"{plan.max_device_hours:g} device-hours are spent"
        if plan.target_rmse is not None and best <= plan.target_rmse:
            return f"validation RMSE {best:.4f} reaches the target of {plan.target_rmse:g}"
        if plan.plateau_trials is not None and best < float("inf"):
            if self._since_best >= plan.plateau_trials:
                return f"no better trial among the last {self._since_best}"
        return None

    def _device_hours(self) -> float:
        """Return the device-hours of the reported epochs."""
        return self._seconds * self._share / 3600
