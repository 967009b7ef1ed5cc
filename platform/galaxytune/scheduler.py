"""The ledger's eyes in Ray Tune: it hears every epoch and every end, and stops what is to stop."""

import math
import re
import time
from numbers import Real
from pathlib import Path
from typing import Any

import ray  # noqa: TID251  kills a worker that is silent
from ray.tune.experiment import Trial  # noqa: TID251  an extension point of Ray Tune
from ray.tune.schedulers import FIFOScheduler, TrialScheduler  # noqa: TID251

from galaxytune.ledger import Ledger
from galaxytune.promotion import Promotion
from trainables.trial_pack import MEMBERS
from trainables.trial_task import PackTask, TrialTask, mark_stopped, remove_mark

_LONGEST_REASON = 300  # characters
_EXCEPTION = re.compile(r"[\w.]*(Error|Exception|Interrupt)\b.*: ")  # a traceback's last line
_SECONDS_BETWEEN_LOOKS = 1.0


class StudyScheduler(FIFOScheduler):
    """Tells the ledger every epoch and every end, and stops what is to pause or to end."""

    def __init__(self, ledger: Ledger, promotion: Promotion) -> None:
        """`promotion` decides which trials go on."""
        super().__init__()
        self.ledger, self.promotion = ledger, promotion
        self._heard: dict[str, float] = {}  # when a running trial was last heard of
        self._silent: set[str] = set()
        self._looked = 0.0

    def on_trial_result(self, controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """Record an epoch and decide; Tune calls this before anyone else learns of it."""
        self._heard[trial.trial_id] = time.monotonic()
        task, goes_on = trial.config["task"], False
        with self.ledger.writing():
            reports = result.get(MEMBERS, [(task.trial_id, result)])
            own = self._open(task)
            asking = [i for i, report in reports if i in own and self._hear(i, report)]
            for trial_id in asking:  # once all members have come to their rung
                if not self.promotion.passes(trial_id):
                    self.promotion.pause(trial_id)
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
        counts = ", ".join(f"epoch {e}: {n}" for e, n in self.promotion.rungs.counts.items())
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
        """Ids of the trials of a task that have not ended, nor paused; one may go on elsewhere."""
        running = self.ledger.running
        return [m.trial_id for m in task.members if running.get(m.trial_id) == m.known_epochs]

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

    def _hear(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Take in a trial's report, which may end it; True if halving is to be asked."""
        if "storage_failure" in result:
            self.ledger.break_off(str(result["storage_failure"]))
            return False
        failure = result.get("failure") or _unusable(result)
        if failure:
            self.ledger.finish(trial_id, "failed", str(failure), config_failed=True)
            return False
        is_new = self.ledger.record_epoch(trial_id, result)
        self.promotion.enter(trial_id)
        if "finished" in result:
            self.ledger.finish(trial_id, "complete", str(result["finished"]))
            self.promotion.measure()
            return False
        return is_new


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
