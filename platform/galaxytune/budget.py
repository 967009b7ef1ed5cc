"""What a study may spend: once any limit is reached, no trial starts and those running end."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from analysis.trial_record import TrialRecord
from galaxytune.study_plan import StudyPlan


class Budget:
    """The limits of a plan, besides its number of trials."""

    def __init__(self, plan: StudyPlan) -> None:
        """The wall clock starts now, with each driver anew."""
        self.plan = plan
        self._started = time.monotonic()
        self._share = plan.gpus_per_trial or plan.cpus_per_trial

    def reached(
        self,
        records: Mapping[str, TrialRecord],
        curves: Mapping[str, Sequence[Mapping[str, Any]]],
    ) -> str | None:
        """Which limit is reached, in words; None while none is.

        records in the order in which the trials ended; device-hours count live trials too.
        """
        plan = self.plan
        hours = (time.monotonic() - self._started) / 3600
        if plan.max_hours is not None and hours >= plan.max_hours:
            return f"{plan.max_hours:g} hours have passed"
        if plan.max_device_hours is not None:
            seconds = sum(report["seconds"] for curve in curves.values() for report in curve)
            if seconds * self._share / 3600 >= plan.max_device_hours:
                return f"{plan.max_device_hours:g} device-hours are spent"
        return self._by_results([r for r in records.values()])

    def _by_results(self, records: Sequence[TrialRecord]) -> str | None:
        plan = self.plan
        best, since = float("inf"), 0
        for record in records:
            since += 1
            value = record.val_rmse if record.status == "complete" else None
            if value is not None and value < best:
                best, since = value, 0
        if plan.target_rmse is not None and best <= plan.target_rmse:
            return f"validation RMSE {best:.4f} reaches the target of {plan.target_rmse:g}"
        if plan.plateau_trials is not None and best < float("inf"):
            if since >= plan.plateau_trials:
                return f"no better trial among the last {since}"
        return None
