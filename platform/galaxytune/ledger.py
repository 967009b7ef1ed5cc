"""The ledger of a running study: the one place that writes what happened to its trials.

Order matters when the driver may die at any moment: a trial is first recorded in
`trials.jsonl`, then told to Optuna; an epoch first stands in `curves/`, then anywhere else.
On resume whatever is behind is brought level with those two.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from optuna.trial import TrialState

from analysis.trial_record import Status, json_lines
from galaxytune.budget import Budget
from galaxytune.checkpoint_keeper import CheckpointKeeper
from galaxytune.optuna_journal import OptunaJournal, trial_id_of
from galaxytune.record_making import make_record
from galaxytune.study_folder import StudyFolder
from galaxytune.study_observer import StudyObserver
from trainables.files import append_line, wait_for_disk
from trainables.galaxies.damage import one_line

Proposal = tuple[str, dict[str, Any]]  # a trial's id and the values of its config
_OTHER_COLUMNS = ("epoch", "seconds", "learning_rate", "micro_batch")


class Ledger:
    """What is known of every trial of a study, kept level with its folder and with Optuna.

    running: trials that are handed out, and how many epochs each had then. unfinished: those that
    an earlier driver left, or that were drawn and are to come. ending: why no trial is to start or
    go on, None while the study runs. A budget's end is final; one that was asked for, or forced by
    a failing disk, leaves trials to be resumed.
    """

    def __init__(self, folder: StudyFolder) -> None:
        """Open the folder's records and journal and reconcile them."""
        self.folder, self.plan = folder, folder.plan
        self.observers: tuple[StudyObserver, ...] = ()
        self.records = {record.id: record for record in folder.records()}
        self.curves = {i: folder.curve(i) for i in folder.trial_ids_with_curve()}
        self.retries = Counter(line["id"] for line in json_lines(folder.retries_file))
        self.running: dict[str, int] = {}
        self.ending: str | None = None
        self.is_final = False
        self.broken: str | None = None
        self.give_up_one: Callable[[], bool] = lambda: False  # a trial that pauses, for room
        self._keeper = CheckpointKeeper(folder, self.plan, self.records.values())
        self._configs: dict[str, tuple[dict[str, Any], bool]] = {}
        self.journal = OptunaJournal(folder.journal_file, self.plan)
        self.unfinished = self._reconcile()
        self._budget = Budget(self.plan, self.records.values(), self.curves.values())

    def __getstate__(self) -> dict[str, Any]:
        """What Tune's snapshots hold of a ledger: its folder, from which a resume rebuilds it."""
        return {"folder": self.folder}

    @property
    def num_left(self) -> int:
        """How many trials are still to end."""
        return 0 if self.folder.ended else self.plan.trials - len(self.records)

    def draw(self, like: Mapping[str, Any] | None = None) -> str | None:
        """Draw a trial, with a config like another if that is given; None after the last."""
        if self.journal.num_begun() >= self.plan.trials:
            return None
        return trial_id_of(self.journal.ask(like=like).number)

    def hand_out(self, trial_id: str) -> Proposal:
        """Note and tell that a trial is to run from now on."""
        config, published = self._drawn(trial_id)
        self.running[trial_id] = len(self.curves.get(trial_id, ()))
        self.folder.curve_file(trial_id).touch()  # `status` sees that it runs
        for observer in self.observers:
            observer.trial_started(trial_id, config, published)
        return trial_id, config

    def pause(self, trial_id: str) -> None:
        """Note and tell that a trial has stopped and may go on later."""
        wait_for_disk(self.folder.curve_file(trial_id))  # it will not report these epochs again
        self.running.pop(trial_id, None)
        for observer in self.observers:
            observer.trial_paused(trial_id, len(self.curves[trial_id]))
        self._make_room()

    def record_epoch(self, trial_id: str, result: Mapping[str, Any]) -> bool:
        """Put a reported epoch into the curve; False if it stands there already."""
        curve = self.curves.setdefault(trial_id, [])
        if trial_id in self.records or int(result["epoch"]) != len(curve) + 1:
            return False
        report = {
            name: float(value)
            for name, value in result.items()
            if name.startswith(("train_", "val_")) or name in _OTHER_COLUMNS
        }
        append_line(self.folder.curve_file(trial_id), report, wait=False)
        curve.append(report)
        self._budget.spend(report)
        self.journal.tell_epoch(trial_id, report)
        for observer in self.observers:
            observer.epoch_reported(trial_id, report)
        self.check_budget()
        return True

    def record_retry(self, trial_id: str, reason: str) -> None:
        """Note that a trial is started again, and why."""
        self.retries[trial_id] += 1
        append_line(self.folder.retries_file, {"id": trial_id, "reason": reason})

    def finish(
        self, trial_id: str, status: Status, reason: str, *, config_failed: bool = False
    ) -> None:
        """Record how a trial ended, tell Optuna, and let go of what it no longer needs."""
        if trial_id in self.records:
            return
        config, published = self._drawn(trial_id)
        record = make_record(
            self.plan,
            config,
            self.curves.get(trial_id, []),
            id=trial_id,
            published=published,
            status=status,
            reason=reason,
            config_failed=config_failed,
            wandb_run_id=None if self.plan.wandb == "disabled" else self.wandb_run_id(trial_id),
            retries=self.retries[trial_id],
        )
        if record.epochs:  # until now a resumed trial would have reported them once more
            wait_for_disk(self.folder.curve_file(trial_id))
        append_line(self.folder.records_file, record.model_dump(mode="json"))
        self.records[trial_id] = record
        self.running.pop(trial_id, None)
        self._budget.enter(record)
        self.journal.tell(record)
        self._keeper.clean(record)
        for observer in self.observers:
            observer.trial_finished(record)
        self._make_room()
        self.check_budget()

    def check_budget(self) -> None:
        """End the study if a limit is reached."""
        if self.ending is None:
            reached = self._budget.reached()
            if reached is not None:
                self.ending, self.is_final = reached, True
                self.note(f"the study ends: {reached}")

    def note(self, sentence: str) -> None:
        """Tell the observers of something about the study as a whole."""
        for observer in self.observers:
            observer.study_noted(sentence)

    def interrupt(self, reason: str) -> None:
        """Let no trial start; running ones stop at their epoch's end and can be resumed."""
        if self.ending is None:
            self.ending = reason
            self.note(f"{reason}: trials stop at the end of their epoch and can be resumed")

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Around all that writes: a disk that refuses ends the run, and nothing is lost."""
        try:
            yield
        except OSError as error:
            where = f" ({error.filename})" if error.filename else ""
            self.break_off(f"{error.strerror or one_line(error)}{where}")

    def break_off(self, reason: str) -> None:
        """End the run because its folder can no longer be written."""
        self.broken = self.broken or reason
        self.interrupt(reason)

    def close(self) -> None:
        """Once no trial runs: end what a budget left open, drop what nobody needs."""
        if self.broken is not None:
            return
        if self.is_final and self.ending is not None:
            for trial in self._open_trials():
                self.finish(trial_id_of(trial), "pruned", f"stopped by the budget: {self.ending}")
            self.folder.mark_ended(self.ending)
        if not self._open_trials():
            self._keeper.drop_unused()
            self.folder.paused_file.unlink(missing_ok=True)

    def config(self, trial_id: str) -> dict[str, Any]:
        """The values of a trial's config."""
        return self._drawn(trial_id)[0]

    def _make_room(self) -> None:
        """While checkpoints take too much, trials that pause end, then the worst weights go."""
        while self._keeper.is_over_quota():
            if not self.give_up_one() and not self._keeper.drop_worst():
                return

    def is_published(self, trial_id: str) -> bool:
        """Whether a trial runs its architecture's published config."""
        return self._drawn(trial_id)[1]

    def wandb_run_id(self, trial_id: str) -> str:
        """The trial's W&B run id, the same on every resume."""
        return f"{self.plan.provenance.study_id}-{trial_id}"

    def _open_trials(self) -> list[int]:
        """Numbers of trials that were begun and have not ended."""
        return [t.number for t in self.journal.trials() if t.state == TrialState.RUNNING]

    def _reconcile(self) -> list[str]:
        """Bring Optuna level with the records; returns the trials that are still to end."""
        if self.journal.was_damaged:
            self.journal.rebuild(self.records.values(), self.curves)
            self._forget_unfinished()
        self.journal.enqueue()
        unfinished = []
        for frozen in self.journal.trials():
            if frozen.state != TrialState.RUNNING:
                continue
            trial_id = trial_id_of(frozen.number)
            for report in self.curves.get(trial_id, [])[len(frozen.intermediate_values) :]:
                self.journal.tell_epoch(trial_id, report)
            if trial_id in self.records:
                self.journal.tell(self.records[trial_id])
            else:
                self.journal.reopen(frozen)
                unfinished.append(trial_id)
        return unfinished

    def _forget_unfinished(self) -> None:
        """Drop the curves of trials whose config is lost: they are drawn and trained anew."""
        for trial_id in [i for i in self.curves if i not in self.records]:
            del self.curves[trial_id]
            self.folder.forget(trial_id)

    def _drawn(self, trial_id: str) -> tuple[dict[str, Any], bool]:
        if trial_id not in self._configs:
            attributes = self.journal.frozen(trial_id).user_attrs
            self._configs[trial_id] = attributes["config"], attributes["published"]
        return self._configs[trial_id]
