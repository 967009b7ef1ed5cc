"""What a study may spend: once any limit is reached, no trial starts and those running end."""

import itertools
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from analysis.trial_record import TrialRecord
from galaxytune.study_plan import StudyPlan

Curve = Sequence[Mapping[str, Any]]


class Budget:
    """The limits of a plan, besides its number of trials, and what is spent of them.

    Kept as sums and not counted anew: it is asked at every report.
    """

    def __init__(
        self, plan: StudyPlan, records: Iterable[TrialRecord], curves: Iterable[Curve]
    ) -> None:
        """Count what earlier drivers have spent; the wall clock starts now, with each anew."""
        self.plan = plan
        self._started = time.monotonic()
        self._share = plan.gpus_per_trial or plan.cpus_per_trial
        self._seconds = 0.0
        self._best, self._since_best = float("inf"), 0
        for report in itertools.chain.from_iterable(curves):
            self.spend(report)
        for record in records:
            self.enter(record)

    def spend(self, report: Mapping[str, Any]) -> None:
        """Count an epoch, of a trial that has ended or not; each is to be told once."""
        self._seconds += report["seconds"]

    def enter(self, record: TrialRecord) -> None:
        """Count a trial that has ended; in the order in which they ended."""
        self._since_best += 1
        value = record.val_rmse if record.status == "complete" else None
        if value is not None and value < self._best:
            self._best, self._since_best = value, 0

    def reached(self) -> str | None:
        """Which limit is reached, in words; None while none is."""
        plan, best = self.plan, self._best
        hours = (time.monotonic() - self._started) / 3600
        if plan.max_hours is not None and hours >= plan.max_hours:
            return f"{plan.max_hours:g} hours have passed"
        if plan.max_device_hours is not None:
            if self._seconds * self._share / 3600 >= plan.max_device_hours:
                return f"{plan.max_device_hours:g} device-hours are spent"
        if plan.target_rmse is not None and best <= plan.target_rmse:
            return f"validation RMSE {best:.4f} reaches the target of {plan.target_rmse:g}"
        if plan.plateau_trials is not None and best < float("inf"):
            if self._since_best >= plan.plateau_trials:
                return f"no better trial among the last {self._since_best}"
        return None
