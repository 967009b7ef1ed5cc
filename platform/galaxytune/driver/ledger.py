"""The ledger of a running study, the only part that records what happens to the trials.

The order of writing matters, because the driver may die at any moment. The end of a trial is
written to `trials.jsonl` before Optuna is told. An epoch is written to `curves/` before any other
part of the driver uses the epoch. A resume brings Optuna's journal up to date with these files.
Methods that write to the study's folder raise OSError if the folder cannot be written.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from analysis.records import Curves, Status, TrialRecord
from galaxytune.driver.drawn_trials import DrawnTrials
from galaxytune.driver.optuna_journal import REASON, OptunaJournal, trial_id_of
from galaxytune.sampling import BLAMED, carried_over, first_trials_of
from galaxytune.study import Budget, CheckpointKeeper, StudyFolder, make_record
from galaxytune.tracking import StudyObserver
from search_spaces.declaration import TrainingProtocol
from trainables.files import append_line, one_line, read_json_lines, wait_for_disk
from trainables.training import EpochReport

Proposal = tuple[str, TrainingProtocol]  # a trial's id and its config


class Ledger:
    """The state of every trial of a study, kept in step with the study's folder and with Optuna.

    Other modules read the ledger's properties, and change the ledger only by its methods. The
    mappings that the properties return are the ledger's own and change with the study.

    folder: the study's folder.
    plan: the plan that the folder held when the ledger was made.
    drawn: the trials that were drawn, with their configs.
    """

    def __init__(self, folder: StudyFolder, observers: Sequence[StudyObserver] = ()) -> None:
        """Read the records and curves in `folder`, and bring Optuna's journal up to date.

        observers: are told that the study starts, and later of each event. Checkpoints of ended
        trials that are not worth keeping are removed. If Optuna's journal is damaged, it is made
        again; the trials without a record then begin again, and their curves and checkpoints are
        removed.

        InvalidInput is raised if a file holds a line that is not JSON, or a record that is wrong.
        """
        self.folder, self.plan = folder, folder.plan
        self._observers = tuple(observers)
        self._records = {record.id: record for record in folder.records()}
        self._curves = {i: folder.curve(i) for i in folder.trial_ids_with_curve()}
        self._retries = Counter(line["id"] for line in read_json_lines(folder.retries_file))
        self._running: dict[str, int] = {}
        self._ending: str | None = None
        self._is_final = False
        self._broken: str | None = None
        self._make_room_by: Callable[[], bool] | None = None
        self._keeper = CheckpointKeeper(folder, self.plan, self._records.values())
        is_new = not folder.journal_file.exists()
        first, earlier = first_trials_of(folder), folder.earlier_trials()
        self._journal = OptunaJournal(folder.journal_file, self.plan, first, earlier)
        self.drawn = DrawnTrials(self._journal)
        self._unfinished = self._reconcile()
        seeds = (record.id for record in self._records.values() if record.further_seed)
        for trial_id in (*seeds, *self._unfinished):
            self.drawn.enter(trial_id)
        self._budget = Budget(self.plan, self._records.values(), self._curves.values())
        for observer in self._observers:
            ended = list(self._records.values())
            observer.study_started(self.plan.trials, self.plan.longest_epochs, ended)
        for carried in carried_over(folder).values() if is_new else ():
            for sentence in carried.sentences():
                self.note(sentence)

    def __getstate__(self) -> dict[str, Any]:
        """Return {"folder": the folder} for Tune's snapshots; a resume reads only the folder."""
        return {"folder": self.folder}

    # the state of the trials

    @property
    def records(self) -> Mapping[str, TrialRecord]:
        """The records of the trials that have ended, by trial id, in the order of their ends."""
        return self._records

    @property
    def curves(self) -> Curves:
        """The reported epochs by trial id; a trial without an epoch has [] or is missing."""
        return self._curves

    @property
    def running(self) -> Mapping[str, int]:
        """The trials that run, with the number of epochs that each had when it was handed out."""
        return self._running

    @property
    def unfinished(self) -> Sequence[str]:
        """The ids of the trials that were drawn and wait to be handed out, in this order.

        An earlier driver left these trials unfinished, or `keep_for_later` added them. `take_up`
        removes a trial. Paused trials are not among them.
        """
        return tuple(self._unfinished)

    @property
    def ending(self) -> str | None:
        """Why no trial is to start or go on, in words; None while the study runs.

        The reason is a budget that was reached, a signal, or a folder that cannot be written. The
        end of a budget is final: `close` ends the trials that were begun. In the other cases the
        trials can be resumed.
        """
        return self._ending

    @property
    def broken(self) -> str | None:
        """Why the study's folder cannot be written, in words; None while it can be written."""
        return self._broken

    @property
    def num_left(self) -> int:
        """The number of trials of the plan that have not ended, begun or not.

        The number is 0 if a budget has ended the study.
        """
        return 0 if self.folder.ended else max(0, self.plan.trials - len(self._records))

    @property
    def num_begun(self) -> int:
        """The number of trials that were drawn, by this driver and by earlier drivers."""
        return self._journal.num_begun()

    @property
    def device_share(self) -> float:
        """The share of the plan's `max_device_hours` that is spent; 0 without this limit."""
        return self._budget.device_share

    def config(self, trial_id: str) -> TrainingProtocol:
        """Return the config of a trial that was drawn; KeyError if no such trial was drawn."""
        return self.drawn.config(trial_id)

    def is_published(self, trial_id: str) -> bool:
        """Return whether a trial that was drawn has the published config of its architecture.

        KeyError if no such trial was drawn.
        """
        return self.drawn.is_published(trial_id)

    # changes to single trials

    def draw(self, like: TrainingProtocol | None = None) -> str | None:
        """Draw a new trial and return its id; None if all trials of the study were drawn.

        Optuna's journal then holds the trial's config; the trial does not run yet (see
        `hand_out`). like: a config; the new trial has the same values of all hyperparameters that
        decide the shape of a network, unless a trial with its own config is queued, which then
        comes first. None for no such condition.
        """
        if self._journal.num_begun() >= self.plan.trials:
            return None
        trial_id = trial_id_of(self._journal.ask(like=like))
        self.drawn.enter(trial_id)
        return trial_id

    def draw_again(self, trial_id: str, seed: int) -> str | None:
        """Draw a trial with the config of an earlier trial and another seed; return its id.

        trial_id: the earlier trial, which was drawn. If a trial is queued already, that trial is
        drawn first. None as in `draw`.
        """
        if self._journal.num_begun() < self.plan.trials and not self._journal.has_queued():
            config, published = self.config(trial_id), self.is_published(trial_id)
            self._journal.enqueue_again(config, published=published, seed=seed)
        return self.draw()

    def take_up(self, trial_id: str) -> None:
        """Remove a trial from the unfinished trials; ValueError if it is not among them."""
        self._unfinished.remove(trial_id)

    def keep_for_later(self, trial_id: str) -> None:
        """Add a trial that was drawn, and that does not run, as the last unfinished trial."""
        self._unfinished.append(trial_id)

    def hand_out(self, trial_id: str) -> Proposal:
        """Record that a trial runs from now on, and return the trial's id and config.

        The trial's curve file is created if it does not exist. The observers are told that the
        trial starts.
        """
        config, published = self.config(trial_id), self.is_published(trial_id)
        self._running[trial_id] = len(self._curves.get(trial_id, ()))
        self.folder.curve_file(trial_id).touch()  # shows `status` that the trial runs
        for observer in self._observers:
            observer.trial_started(trial_id, config, published)
        return trial_id, config

    def pause(self, trial_id: str) -> None:
        """Record that a running trial has stopped and may go on later, and tell the observers.

        If the checkpoints then take more space than the plan's quota, paused trials are ended,
        perhaps also this trial, and then the worst weights are removed.
        """
        wait_for_disk(self.folder.curve_file(trial_id))  # these epochs are not reported again
        self._running.pop(trial_id, None)
        for observer in self._observers:
            observer.trial_paused(trial_id, len(self._curves[trial_id]))
        self._make_room()

    def record_epoch(self, trial_id: str, report: EpochReport) -> bool:
        """Record a reported epoch in the curve, in Optuna's journal and in the budget.

        Return True, and tell the observers. Return False, and record nothing, if the trial has
        ended or if the epoch is not the next epoch of the curve. The epoch may end the study, see
        `check_budget`.
        """
        curve = self._curves.setdefault(trial_id, [])
        if trial_id in self._records or report.epoch != len(curve) + 1:
            return False
        values = {name: float(value) for name, value in report.as_values().items()}
        append_line(self.folder.curve_file(trial_id), values, wait=False)
        curve.append(report)
        self._budget.spend(report)
        self._journal.tell_epoch(trial_id, report)
        for observer in self._observers:
            observer.epoch_reported(trial_id, report)
        self.check_budget()
        return True

    def record_retry(self, trial_id: str, reason: str) -> None:
        """Record that a trial is started again; `reason` is what stopped the trial, in words.

        The trial keeps running for the ledger.
        """
        self._retries[trial_id] += 1
        append_line(self.folder.retries_file, {"id": trial_id, "reason": reason})

    def finish(
        self, trial_id: str, status: Status, reason: str, *, config_failed: bool = False
    ) -> None:
        """Record how a trial ended, and remove checkpoints that are no longer needed.

        Optuna and the observers are told, too. status: `complete`, `pruned` or `failed`. reason:
        why the trial ended, in words. config_failed: whether the config itself made the trial
        fail. Nothing is done if the trial has a record already.

        Paused trials may be ended too, if the checkpoints take more space than the plan's quota.
        The end of the trial may end the study, see `check_budget`.
        """
        if trial_id in self._records:
            return
        record = self._write_record(trial_id, status, reason, config_failed)
        self._running.pop(trial_id, None)
        self._budget.enter(record)
        self._journal.tell(record)
        self._keeper.clean(record)
        for observer in self._observers:
            observer.trial_finished(record)
        self._make_room()
        self.check_budget()

    def _write_record(
        self, trial_id: str, status: Status, reason: str, config_failed: bool
    ) -> TrialRecord:
        """Make the record of a trial, write and keep it, and return it; see `finish`."""
        config, published = self.config(trial_id), self.is_published(trial_id)
        record = make_record(
            self.plan,
            config,
            self._curves.get(trial_id, []),
            id=trial_id,
            published=published,
            origin=self.drawn.origin(trial_id),
            status=status,
            reason=reason,
            config_failed=config_failed,
            wandb_run_id=self._wandb_run_id(trial_id),
            retries=self._retries[trial_id],
            further_seed=self.drawn.is_further_seed(trial_id),
        )
        if record.epochs:  # a trial with a record never reports its epochs again
            wait_for_disk(self.folder.curve_file(trial_id))
        append_line(self.folder.records_file, record.model_dump(mode="json"))
        self._records[trial_id] = record
        return record

    # the end of the study

    def check_budget(self) -> None:
        """Set `ending` to the limit of the budget that is reached, and tell the observers.

        Nothing is done if no limit is reached, or if the study is ending already. The caller then
        lets the running trials stop.
        """
        if self._ending is None:
            reached = self._budget.reached()
            if reached is not None:
                self._ending, self._is_final = reached, True
                self.note(f"the study ends: {reached}")

    def note(self, sentence: str) -> None:
        """Give the observers a sentence about the study as a whole; nothing is recorded."""
        for observer in self._observers:
            observer.study_noted(sentence)

    def interrupt(self, reason: str) -> None:
        """Set `ending`, so that no trial starts and running trials stop at their next report.

        The trials can be resumed. reason: what interrupts the study, in words; the observers are
        told. Nothing is done if the study is ending already.
        """
        if self._ending is None:
            self._ending = reason
            self.note(f"{reason}: trials stop at the end of their epoch and can be resumed")

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Catch an OSError of the block, and end the run instead (see `break_off`).

        The blocks that write to the study's folder while trials run are surrounded in this way,
        because an OSError means that the folder cannot be written. What was written before stays
        whole, so that a resume can go on.
        """
        try:
            yield
        except OSError as error:
            where = f" ({error.filename})" if error.filename else ""
            self.break_off(f"{error.strerror or one_line(error)}{where}")

    def break_off(self, reason: str) -> None:
        """End the run because the study's folder cannot be written.

        reason: the error, in words. `broken` keeps the first reason, and the study is interrupted
        (see `interrupt`).
        """
        self._broken = self._broken or reason
        self.interrupt(reason)

    def close(self) -> None:
        """Finish the study's folder after the last running trial has stopped.

        If a budget has ended the study, the trials that were begun and have not ended are recorded
        as pruned, and ended.json is written. Then, if every trial that was begun has ended, the
        frozen weights that no checkpoint uses and paused.json are removed. Nothing is done if the
        folder could not be written before.
        """
        if self._broken is not None:
            return
        if self._is_final and self._ending is not None:
            for number in self._open_trials():
                reason = f"stopped by the budget: {self._ending}"
                self.finish(trial_id_of(number), "pruned", reason)
            self.folder.mark_ended(self._ending)
        if not self._open_trials():
            self._keeper.drop_unused()
            self.folder.paused_file.unlink(missing_ok=True)

    def make_room_by(self, give_up_one: Callable[[], bool]) -> None:
        """Set the function that makes room on the disk by ending a paused trial.

        give_up_one: ends one paused trial and returns True; returns False if no trial pauses.
        Without such a function only weights of ended trials are removed to make room.
        """
        self._make_room_by = give_up_one

    def _make_room(self) -> None:
        """End paused trials, then remove the worst weights, until the quota is kept.

        Nothing is done if the checkpoints take no more space than the plan's quota. If no trial
        pauses and only the weights of the best trial are left, the quota may stay exceeded.
        """
        while self._keeper.is_over_quota():
            gave_up = self._make_room_by is not None and self._make_room_by()
            if not gave_up and not self._keeper.drop_worst():
                return

    def _wandb_run_id(self, trial_id: str) -> str | None:
        """Return the id of a trial's W&B run; None if the plan disables W&B."""
        return None if self.plan.wandb == "disabled" else self.plan.wandb_run_id(trial_id)

    def _open_trials(self) -> list[int]:
        """Return the numbers of the trials that were begun and have not ended."""
        return [t.number for t in self._journal.trials() if t.state == TrialState.RUNNING]

    def _reconcile(self) -> list[str]:
        """Bring Optuna's journal up to date with the folder; return the unfinished trials' ids.

        A damaged journal is filled again from the records and curves. The plan's first trials are
        queued. An unfinished trial whose config was not drawn gets its config. A record that was
        lost is made again.
        """
        if self._journal.was_damaged:
            self._journal.rebuild(self._records.values(), self._curves)
            self._forget_unfinished()
        self._journal.enqueue()
        unfinished = []
        for frozen in self._journal.trials():
            trial_id = trial_id_of(frozen.number)
            if frozen.state.is_finished() and trial_id not in self._records:
                self._restore_record(frozen)
            if frozen.state != TrialState.RUNNING:
                continue
            for report in self._curves.get(trial_id, [])[len(frozen.intermediate_values) :]:
                self._journal.tell_epoch(trial_id, report)
            if trial_id in self._records:
                self._journal.tell(self._records[trial_id])
            else:
                self._journal.reopen(frozen)
                unfinished.append(trial_id)
        return unfinished

    def _restore_record(self, frozen: FrozenTrial) -> None:
        """Write the lost record of a trial that has ended in Optuna, from the trial's curve.

        frozen: Optuna's trial. A complete trial whose curve is lost too counts as failed.
        """
        trial_id = trial_id_of(frozen.number)
        status: Status = "pruned" if frozen.state == TrialState.PRUNED else "failed"
        if frozen.state == TrialState.COMPLETE and self._curves.get(trial_id):
            status = "complete"
        reason = frozen.user_attrs.get(REASON, "its record was lost and was made again")
        self._write_record(trial_id, status, reason, BLAMED in frozen.user_attrs)

    def _forget_unfinished(self) -> None:
        """Remove the curves and checkpoints of the trials without a record.

        The damaged journal alone held the configs of these trials. The trials are drawn and
        trained again.
        """
        for trial_id in [i for i in self._curves if i not in self._records]:
            del self._curves[trial_id]
            self.folder.forget(trial_id)
