"""Ray Tune scheduler that passes every report to the ledger and stops trials."""

import re
import time
from pathlib import Path
from typing import Any

import ray  # noqa: TID251  `ray.kill` ends a silent worker
from ray.tune.experiment import Trial  # noqa: TID251  an extension point of Ray Tune
from ray.tune.schedulers import FIFOScheduler, TrialScheduler  # noqa: TID251

from galaxytune.driver.ledger import Ledger
from galaxytune.driver.promotion import Promotion
from trainables.training import EpochReport, why_unusable
from trainables.trial import MEMBERS, PackTask, TrialTask, mark_stopped, remove_mark

_LONGEST_REASON = 300  # characters
_EXCEPTION = re.compile(r"[\w.]*(Error|Exception|Interrupt)\b.*: ")  # last line of a traceback
_SECONDS_BETWEEN_LOOKS = 1.0


class StudyScheduler(FIFOScheduler):
    """Ray Tune scheduler that passes every report to the ledger and stops trials.

    A trial is stopped when it pauses, when it ends, and when the study ends. Ray Tune calls the
    public methods. If the study's folder cannot be written, the ledger ends the run; no OSError is
    raised.

    The arguments of the methods: `controller` is Ray Tune's controller, and `trial` is Tune's
    trial, whose `config["task"]` is the task of one trial of the study or of a pack.

    ledger: the study's ledger. promotion: decides which trials pause.
    """

    def __init__(self, ledger: Ledger, promotion: Promotion) -> None:
        """Take the study's ledger, and the promotion that decides which trials go on."""
        super().__init__()
        self.ledger, self.promotion = ledger, promotion
        self._heard: dict[str, float] = {}  # time of each running trial's last report, in s
        self._silent: set[str] = set()
        self._looked = 0.0

    def on_trial_add(self, controller: Any, trial: Trial) -> None:
        """Name the folder of a Tune trial; Tune needs the name even if the trial never starts."""
        super().on_trial_add(controller, trial)
        if trial.storage is not None:
            trial.storage.trial_dir_name = trial.config["task"].trial_id

    def on_trial_result(self, controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """Record the report of a trial, or of each member of a pack; return CONTINUE or STOP.

        result: the report of a trial, or under the key `members` pairs of a trial's id and its
        report. STOP means that all members of `trial` have ended or pause, or that the study ends
        or its folder cannot be written. Members that stop while the pack goes on get a stop mark
        in their checkpoint folder. Tune calls this method before any other part of Tune receives
        the result.
        """
        self._heard[trial.trial_id] = time.monotonic()
        task, goes_on = trial.config["task"], False
        with self.ledger.writing():
            reports = result.get(MEMBERS, [(task.trial_id, result)])
            own = self._open(task)
            asking = [i for i, report in reports if i in own and self._hear(i, report)]
            for trial_id in asking:  # after all members were entered at their rung
                if not self.promotion.passes(trial_id):
                    self.promotion.pause(trial_id)
            goes_on = self._goes_on(task)
        return str(TrialScheduler.CONTINUE if goes_on else TrialScheduler.STOP)

    def on_trial_complete(self, controller: Any, trial: Trial, result: dict[str, Any]) -> None:
        """Record trials as failed if their worker returned before their last epoch was reported.

        Nothing is recorded if the study is ending, because the trials can then be resumed. result:
        the last report, which is not used. Tune calls this method for every running trial that it
        stops, and keeps the trial's object; the statistics in the object are dropped.
        """
        _drop_statistics(trial)
        if self.ledger.ending is not None:
            return
        with self.ledger.writing():
            for trial_id in self._open(trial.config["task"]):
                self.ledger.finish(trial_id, "failed", "ended before its last epoch was reported")

    def on_trial_error(self, controller: Any, trial: Trial) -> None:
        """Record a retry of a trial or, if all retries are used up, its failure.

        Each member of a pack that has not ended or paused is recorded. The reason is the text of
        the exception, or that the worker reported nothing for `max_silence_minutes`. Tune calls
        this method before each retry as well; `trial.status` is ERROR then. A failure is not
        recorded if the study is ending.
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
        """Return the waiting Tune trial with the lowest id of the study; None if no trial waits.

        Tune calls this method in each of its rounds. Therefore the budget and the silence of
        workers are checked here, at most once a second (see `_look_after`).
        """
        now = time.monotonic()
        if now - self._looked >= _SECONDS_BETWEEN_LOOKS:
            self._looked = now
            with self.ledger.writing():
                self.ledger.check_budget()
            self._look_after(controller, now)
        # FIFOScheduler's own method looks at all trials of the study, also at ended trials
        waiting = [t for t in controller.get_live_trials() if t.status == Trial.PENDING]
        return min(waiting, key=lambda trial: trial.config["task"].trial_id, default=None)

    def debug_string(self) -> str:
        """Return a text with the number of trials that have come to each rung, by epoch."""
        counts = ", ".join(f"epoch {e}: {n}" for e, n in self.promotion.rungs.counts.items())
        return f"successive halving ({counts})"

    def _look_after(self, controller: Any, now: float) -> None:
        """Stop the waiting trials if the study is ending, and kill the workers that are silent.

        A worker is silent if its running trial has not reported for the plan's
        `max_silence_minutes`; the time is counted from the trial's last report, or from the first
        look at the running trial. Tune retries a trial whose worker was killed, as the plan's
        `max_retries` allows. controller: Ray Tune's controller. now: the time of
        `time.monotonic`, in s.
        """
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
        """Return the ids of the trials of a task that have neither ended nor paused.

        A trial that paused and now goes on in another task is left out.
        """
        running = self.ledger.running
        return [m.trial_id for m in task.members if running.get(m.trial_id) == m.known_epochs]

    def _goes_on(self, task: TrialTask | PackTask) -> bool:
        """Return whether a task has a trial that goes on; False if the study is ending.

        If the task goes on, its other trials get a stop mark in their checkpoint folder, by which
        the worker drops them. Otherwise the stop marks of a pack are removed.
        """
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
        """Record a trial's report, which may end the trial or the run.

        result: the values of an epoch by name, perhaps with `finished`, or a `failure` or
        `storage_failure`. Return True if the trial has reported a new epoch and halving decides
        whether it goes on. Return False if the trial has ended, if the epoch was reported before,
        or if a `storage_failure` ends the run.
        """
        if "storage_failure" in result:
            self.ledger.break_off(str(result["storage_failure"]))
            return False
        failure = result.get("failure") or why_unusable(result)
        if failure:
            self.ledger.finish(trial_id, "failed", str(failure), config_failed=True)
            return False
        is_new = self.ledger.record_epoch(trial_id, EpochReport.from_values(result))
        self.promotion.enter(trial_id)
        if "finished" in result:
            self.ledger.finish(trial_id, "complete", str(result["finished"]))
            self.promotion.measure()
            return False
        return is_new


def _drop_statistics(trial: Trial) -> None:
    """Empty the minimum, mean and latest values of each metric that Tune keeps of a trial.

    They take some 50 kB a trial, and nothing reads them: a study has the trial's whole curve.
    """
    trial.run_metadata.metric_analysis.clear()
    trial.run_metadata.metric_n_steps.clear()
    trial.run_metadata.invalidate_cache()


def _reason(trial: Trial) -> str:
    """Return the name and text of the exception in Tune's error file, at most 300 characters.

    If no line of the file names an exception, its last line is returned. Without an error file,
    the text is that the worker died without a message.
    """
    if trial.error_file is None or not Path(trial.error_file).exists():
        return "the worker died without a message"
    lines = [line for line in Path(trial.error_file).read_text().splitlines() if line.strip()]
    named = [line for line in lines if _EXCEPTION.match(line)]
    return (named or lines)[-1].strip()[:_LONGEST_REASON]
