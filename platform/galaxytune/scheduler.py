"""Asynchronous successive halving (Li et al. 2020, MLSys) whose rungs are a study's curves."""

import math
import re
from pathlib import Path
from typing import Any

from ray.tune.experiment import Trial  # noqa: TID251  an extension point of Ray Tune
from ray.tune.schedulers import FIFOScheduler, TrialScheduler  # noqa: TID251

from galaxytune.ledger import Ledger

_LONGEST_REASON = 300  # characters
_EXCEPTION = re.compile(r"[\w.]*(Error|Exception|Interrupt)\b.*: ")  # a traceback's last line


class Rungs:
    """At certain epochs only the best 1/eta of the trials that came so far may go on."""

    def __init__(self, *, grace_epochs: int, reduction_factor: int, max_epochs: int) -> None:
        """Rungs at grace, grace x eta, grace x eta^2 ... below max_epochs."""
        self.reduction_factor = reduction_factor
        self.values: dict[int, dict[str, float]] = {}
        epoch = grace_epochs
        while epoch < max_epochs:
            self.values[epoch] = {}
            epoch *= reduction_factor

    def may_continue(self, trial_id: str, epoch: int, value: float) -> bool:
        """Enter a trial's lowest value so far at an epoch; False if it is to stop there.

        A rung cuts nobody before it holds `reduction_factor` trials, and a trial that is asked
        about twice counts once.
        """
        if epoch not in self.values:
            return True
        rung = self.values[epoch]
        rung[trial_id] = value
        if len(rung) < self.reduction_factor:
            return True
        num_promoted = math.ceil(len(rung) / self.reduction_factor)
        return value <= sorted(rung.values())[num_promoted - 1]


class StudyScheduler(FIFOScheduler):
    """Tells the ledger every epoch and every end, and stops what the rungs stop.

    Published configs are always trained to the end: they are what the others are measured by.
    """

    def __init__(self, ledger: Ledger) -> None:
        """Rebuild the rungs from the curves that the ledger has."""
        super().__init__()
        self.ledger = ledger
        plan = ledger.plan
        self.rungs = Rungs(
            grace_epochs=plan.grace_epochs,
            reduction_factor=plan.reduction_factor,
            max_epochs=plan.longest_epochs if plan.halving and not plan.grid else 0,
        )
        for trial_id, curve in ledger.curves.items():
            for epoch in (rung for rung in self.rungs.values if rung <= len(curve)):
                self.rungs.may_continue(trial_id, epoch, self._lowest(trial_id, epoch))

    def on_trial_result(self, controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """Record an epoch and decide; Tune calls this before anyone else learns of it."""
        trial_id = trial.config["task"].trial_id
        if "failure" in result:
            self.ledger.finish(trial_id, "failed", str(result["failure"]))
            return str(TrialScheduler.STOP)
        self.ledger.record_epoch(trial_id, result)
        if "finished" in result:
            self.ledger.finish(trial_id, "complete", str(result["finished"]))
            return str(TrialScheduler.STOP)
        epoch = int(result["epoch"])
        # A resumed trial repeats its epochs; the last may have been cut just before the crash.
        is_latest = epoch == len(self.ledger.curves[trial_id])
        if is_latest and not self._goes_on(trial_id, epoch):
            self.ledger.finish(trial_id, "pruned", f"stopped by halving at epoch {epoch}")
            return str(TrialScheduler.STOP)
        return str(TrialScheduler.CONTINUE)

    def on_trial_complete(self, controller: Any, trial: Trial, result: dict[str, Any]) -> None:
        """A trial that returned without saying that it had finished has failed."""
        self.ledger.finish(
            trial.config["task"].trial_id, "failed", "ended before its last epoch was reported"
        )

    def on_trial_error(self, controller: Any, trial: Trial) -> None:
        """A trial whose retries are used up has failed; the reason is its exception's text.

        Tune calls this before each retry too, and then the trial's status is ERROR already.
        """
        if trial.status == Trial.ERROR:
            return
        self.ledger.finish(trial.config["task"].trial_id, "failed", _reason(trial))

    def debug_string(self) -> str:
        """How many trials stand on each rung."""
        counts = ", ".join(f"epoch {e}: {len(r)}" for e, r in self.rungs.values.items())
        return f"successive halving ({counts})"

    def _goes_on(self, trial_id: str, epoch: int) -> bool:
        goes_on = self.rungs.may_continue(trial_id, epoch, self._lowest(trial_id, epoch))
        return goes_on or self.ledger.is_published(trial_id)

    def _lowest(self, trial_id: str, epoch: int) -> float:
        return min(report["val_rmse"] for report in self.ledger.curves[trial_id][:epoch])


def _reason(trial: Trial) -> str:
    """The exception's name and text from the error file that Tune has just written here."""
    if trial.error_file is None or not Path(trial.error_file).exists():
        return "the worker died without a message"
    lines = [line for line in Path(trial.error_file).read_text().splitlines() if line.strip()]
    named = [line for line in lines if _EXCEPTION.match(line)]
    return (named or lines)[-1].strip()[:_LONGEST_REASON]
