"""The ledger's eyes in Ray Tune: it hears every epoch and every end, and stops what is to stop."""

import json
import math
import re
import time
from numbers import Real
from pathlib import Path
from typing import Any

import ray  # noqa: TID251  kills a worker that is silent
from ray.tune.experiment import Trial  # noqa: TID251  an extension point of Ray Tune
from ray.tune.schedulers import FIFOScheduler, TrialScheduler  # noqa: TID251

from galaxytune.halving import (
    MOST_MEASURED,
    Rungs,
    choose_grace,
    first_grace,
    lowest,
)
from galaxytune.ledger import Ledger
from trainables.files import write_atomically
from trainables.trial_pack import MEMBERS
from trainables.trial_task import PackTask, TrialTask, mark_stopped, remove_mark

_LONGEST_REASON = 300  # characters
_EXCEPTION = re.compile(r"[\w.]*(Error|Exception|Interrupt)\b.*: ")  # a traceback's last line
_SECONDS_BETWEEN_LOOKS = 1.0


class StudyScheduler(FIFOScheduler):
    """Tells the ledger every epoch and every end, and stops what the rungs stop.

    Published configs are always trained to the end: they are what the others are measured by.
    """

    def __init__(self, ledger: Ledger) -> None:
        """Rebuild the rungs from the curves that the ledger has."""
        super().__init__()
        self.ledger = ledger
        self.rungs: Rungs | None = None
        self._first_grace = first_grace(ledger.plan.longest_epochs)
        self._num_measured = -1  # whole trials
        self._has_correlations = False
        self._heard: dict[str, float] = {}  # when a running trial was last heard of
        self._silent: set[str] = set()
        self._looked = 0.0
        if ledger.folder.halving_file.exists():
            chosen = json.loads(ledger.folder.halving_file.read_text())
            self._num_measured = chosen["num_whole"]
            self._has_correlations = bool(chosen["correlations"])
            self._begin(chosen["grace_epochs"])
        elif ledger.plan.stops_early:
            self._begin(ledger.plan.grace_epochs or self._first_grace)
        with ledger.writing():
            self._measure()

    def on_trial_result(self, controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """Record an epoch and decide; Tune calls this before anyone else learns of it."""
        self._heard[trial.trial_id] = time.monotonic()
        task, goes_on = trial.config["task"], False
        with self.ledger.writing():
            for trial_id, report in result.get(MEMBERS, [(task.trial_id, result)]):
                if trial_id not in self.ledger.records:
                    self._hear(trial_id, report)
            goes_on = self._goes_on(task)
        return str(TrialScheduler.CONTINUE if goes_on else TrialScheduler.STOP)

    def on_trial_complete(self, controller: Any, trial: Trial, result: dict[str, Any]) -> None:
        """A trial that returned without saying that it had finished has failed."""
        if self.ledger.ending is not None:
            return
        with self.ledger.writing():
            for trial_id in self._open(trial.config["task"]):
                self.ledger.finish(trial_id, "failed", "ended before its last epoch was reported")

    def on_trial_error(self, controller: Any, trial: Trial) -> None:
        """A trial whose retries are used up has failed; the reason is its exception's text.

        Tune calls this before each retry too, and then the trial's status is ERROR already.
        """
        self._heard.pop(trial.trial_id, None)
        reason = _reason(trial)
        if trial.trial_id in self._silent:
            self._silent.discard(trial.trial_id)
            reason = f"reported nothing for {self.ledger.plan.max_silence_minutes:g} minutes"
        with self.ledger.writing():
            for trial_id in self._open(trial.config["task"]):
                if trial.status == Trial.ERROR:
                    self.ledger.record_retry(trial_id, reason)
                elif self.ledger.ending is None:
                    self.ledger.finish(trial_id, "failed", reason)

    def choose_trial_to_run(self, controller: Any) -> Trial | None:
        """Tune asks in each of its rounds; what time alone decides is seen to here."""
        now = time.monotonic()
        if now - self._looked >= _SECONDS_BETWEEN_LOOKS:
            self._looked = now
            with self.ledger.writing():
                self.ledger.check_budget()
            self._look_after(controller, now)
        # FIFOScheduler's own choice looks at every trial there has been, in each round
        waiting = [t for t in controller.get_live_trials() if t.status == Trial.PENDING]
        return min(waiting, key=lambda trial: trial.config["task"].trial_id, default=None)

    def debug_string(self) -> str:
        """How many trials stand on each rung."""
        values = {} if self.rungs is None else self.rungs.values
        counts = ", ".join(f"epoch {e}: {len(r)}" for e, r in values.items())
        return f"successive halving ({counts})"

    def _look_after(self, controller: Any, now: float) -> None:
        """Let no trial begin once the study ends; kill workers that have been silent too long."""
        longest = 60 * self.ledger.plan.max_silence_minutes
        for trial in list(controller.get_live_trials()):
            if trial.status == Trial.PENDING and self.ledger.ending is not None:
                controller.stop_trial(trial)
            if trial.status != Trial.RUNNING:
                self._heard.pop(trial.trial_id, None)
                continue
            if now - self._heard.setdefault(trial.trial_id, now) > longest:
                self._heard[trial.trial_id] = now
                self._silent.add(trial.trial_id)
                ray.kill(trial.temporary_state.ray_actor)

    def _open(self, task: TrialTask | PackTask) -> list[str]:
        """Ids of the trials of a task that have not ended."""
        return [m.trial_id for m in task.members if m.trial_id not in self.ledger.records]

    def _goes_on(self, task: TrialTask | PackTask) -> bool:
        """Whether a task has trials to go on with; its worker finds the others marked."""
        is_open = self._open(task)
        if self.ledger.ending is not None or not is_open:
            for member in task.members if isinstance(task, PackTask) else ():
                remove_mark(member)
            return False
        for member in task.members:
            if member.trial_id not in is_open:
                mark_stopped(member)
        return True

    def _hear(self, trial_id: str, result: dict[str, Any]) -> None:
        """Take in a trial's report, which may end it."""
        if "storage_failure" in result:
            return self.ledger.break_off(str(result["storage_failure"]))
        failure = result.get("failure") or _unusable(result)
        if failure:
            return self.ledger.finish(trial_id, "failed", str(failure), config_failed=True)
        self.ledger.record_epoch(trial_id, result)
        if "finished" in result:
            self.ledger.finish(trial_id, "complete", str(result["finished"]))
            return self._measure()
        epoch = int(result["epoch"])
        # A resumed trial repeats its epochs; the last may have been cut just before the crash.
        is_latest = epoch == len(self.ledger.curves[trial_id])
        if is_latest and not self._passes(trial_id, epoch):
            self.ledger.finish(trial_id, "pruned", f"stopped by halving at epoch {epoch}")

    def _passes(self, trial_id: str, epoch: int) -> bool:
        if self.rungs is None:
            return True
        value = lowest(self.ledger.curves[trial_id], epoch)
        passes = self.rungs.may_continue(trial_id, epoch, value)
        return passes or self.ledger.is_published(trial_id)

    def _begin(self, grace_epochs: int | None) -> None:
        """Cut from `grace_epochs` on, or nowhere."""
        self.rungs = None
        if grace_epochs is None:
            return
        plan = self.ledger.plan
        self.rungs = Rungs(
            grace_epochs=grace_epochs,
            reduction_factor=plan.reduction_factor,
            max_epochs=plan.longest_epochs,
        )
        self.rungs.enter(self.ledger.curves)

    def _measure(self) -> None:
        """Choose the grace period anew by what the trials that were trained whole show."""
        plan, ledger = self.ledger.plan, self.ledger
        has_rungs = plan.stops_early and self._first_grace < plan.longest_epochs
        if not has_rungs or plan.grace_epochs is not None:
            return
        complete = (r for r in ledger.records.values() if r.status == "complete")
        whole = [r.id for r in complete if r.epochs > self._first_grace][:MOST_MEASURED]
        if len(whole) <= self._num_measured:
            return
        choice = choose_grace(
            [ledger.curves[i] for i in whole],
            first_epoch=self._first_grace,
            reduction_factor=plan.reduction_factor,
        )
        text = json.dumps({**choice.as_json(), "sentence": choice.sentence()}, indent=2) + "\n"
        write_atomically(ledger.folder.halving_file, lambda path: path.write_text(text))
        grace = None if self.rungs is None else min(self.rungs.values, default=None)
        if choice.correlations and (not self._has_correlations or choice.grace_epochs != grace):
            ledger.note(choice.sentence())
            self._begin(choice.grace_epochs)
        self._num_measured, self._has_correlations = len(whole), bool(choice.correlations)


def _unusable(result: dict[str, Any]) -> str | None:
    """Which reported number is none, or not finite; None if all are."""
    if not isinstance(result.get("epoch"), Real):
        return f"reported no epoch, but {result.get('epoch')!r}"
    numbers = {k: v for k, v in result.items() if k.startswith(("train_", "val_"))}
    for name, value in {"val_rmse": None, **numbers}.items():
        if not isinstance(value, Real) or not math.isfinite(value):
            return f"reported {name} = {value} at epoch {result['epoch']}"
    return None


def _reason(trial: Trial) -> str:
    """The exception's name and text from the error file that Tune has just written here."""
    if trial.error_file is None or not Path(trial.error_file).exists():
        return "the worker died without a message"
    lines = [line for line in Path(trial.error_file).read_text().splitlines() if line.strip()]
    named = [line for line in lines if _EXCEPTION.match(line)]
    return (named or lines)[-1].strip()[:_LONGEST_REASON]
