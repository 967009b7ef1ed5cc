"""Optuna's part of a study: its storage, its sampler, and what Optuna is told of each trial.

Only the driver writes the journal. What the journal holds of ended trials is also in
`trials.jsonl` and `curves/`, so a damaged journal is renamed and written again from these files.
Methods that write to the journal raise OSError if the disk refuses.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import JournalStorage
from optuna.trial import FrozenTrial, TrialState

from analysis.records import Curves, TrialRecord
from galaxytune.driver.journal_file import DamagedJournal, JournalFile
from galaxytune.plan import FirstTrial, StudyPlan
from galaxytune.sampling import (
    BLAMED,
    draw_config,
    enqueue_again,
    enqueue_first,
    enqueue_like,
    is_drawn,
    known_draw,
    live_trial,
    storage_id,
    study_sampler,
    user_attributes,
)
from galaxytune.study import EarlierTrial
from search_spaces.declaration import TrainingProtocol
from trainables.training import Curve, EpochReport

REASON = "reason"  # the user attribute of a failed trial with the reason of its failure
RESIDUAL = "tree_residual"  # name of the constraint on the tree residual


def trial_id_of(number: int) -> str:
    """Return the id of the trial that has `number` in Optuna: `00007` for 7."""
    return f"{number:05d}"


def _put_aside(journal: Path) -> None:
    """Rename a damaged journal to `NAME.damaged-N`, where N is the first free number from 1."""
    number = 1
    while (aside := journal.with_name(f"{journal.name}.damaged-{number}")).exists():
        number += 1
    journal.rename(aside)


@contextmanager
def _quiet_optuna() -> Iterator[None]:
    """Let Optuna log only errors while the block runs."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


class OptunaJournal:
    """A plan's study in Optuna, stored in a journal file.

    plan: the plan of the study.
    storage: Optuna's storage, which reads and writes the journal.
    study: the study in Optuna.
    was_damaged: whether a damaged journal was renamed and an empty journal was created.
    """

    def __init__(
        self,
        path: Path,
        plan: StudyPlan,
        first: Sequence[FirstTrial] | None = None,
        earlier: Sequence[EarlierTrial] = (),
    ) -> None:
        """Open the journal at `path`, or create it; a damaged journal is renamed and replaced.

        first: the first trials of the search; None for those of `first_trials`. earlier: trials of
        earlier studies from which the sampler learns.

        The new name of a damaged journal is NAME.damaged-N. The journal that replaces it has no
        trials; `rebuild` fills it.
        """
        self.plan, self._first = plan, first
        self._file, self.was_damaged = JournalFile(path), False
        try:
            self.storage = JournalStorage(self._file)
        except DamagedJournal:
            _put_aside(path)
            self._file, self.was_damaged = JournalFile(path), True
            self.storage = JournalStorage(self._file)
        num_objectives = 2 if plan.has_two_objectives else 1
        with _quiet_optuna():
            self.study = optuna.create_study(
                study_name=plan.name,
                storage=self.storage,
                directions=[optuna.study.StudyDirection.MINIMIZE] * num_objectives,
                load_if_exists=True,
            )
        self.study.sampler = study_sampler(plan, len(self.trials()), earlier)
        self._num_begun: int | None = None

    def trials(self) -> list[FrozenTrial]:
        """Return all trials by number, including the queued trials that have not begun.

        The trials are Optuna's own objects, not copies; they must not be changed.
        """
        return self.study.get_trials(deepcopy=False)

    def num_begun(self) -> int:
        """Return the number of trials that were drawn; a queued trial does not count."""
        if self._num_begun is None:
            self._num_begun = sum(t.state != TrialState.WAITING for t in self.trials())
        return self._num_begun

    def frozen(self, trial_id: str) -> FrozenTrial:
        """Return Optuna's trial of a trial id such as `00007`; KeyError if there is none."""
        return self.storage.get_trial(storage_id(self.study, int(trial_id)))

    def enqueue(self, num_trials: int | None = None) -> None:
        """Queue the first trials of the plan that the journal does not hold yet.

        num_trials: the largest number of trials to queue, None for all. Nothing is queued if the
        journal holds as many trials as the plan has first trials (see `enqueue_first`).
        """
        enqueue_first(self.study, self.plan, num_trials, first=self._first)

    def ask(self, like: TrainingProtocol | None = None) -> int:
        """Draw the next trial, write its config to disk, and return the trial's number.

        The next trial is the first queued trial, or else a new trial. like: a config; a new trial
        then has the same values of all hyperparameters that decide the shape of a network. None
        for no such condition.
        """
        if like is not None and not self.has_queued():
            enqueue_like(self.study, self.plan, like)
        num_begun, self._num_begun = self.num_begun(), None  # stays None if the disk refuses
        with _quiet_optuna():
            trial = self.study.ask()
            draw_config(trial, self.plan)
        self._file.wait_for_disk()  # a running trial must not lose its config or number
        self._num_begun = num_begun + 1
        return trial.number

    def enqueue_again(self, config: TrainingProtocol, *, published: bool, seed: int) -> None:
        """Queue a trial with the config of an earlier trial and another seed.

        published: whether the earlier trial was drawn as the published config.
        """
        enqueue_again(self.study, self.plan, config, published=published, seed=seed)

    def has_queued(self) -> bool:
        """Return whether a trial is queued."""
        return bool(self.study.get_trials(deepcopy=False, states=(TrialState.WAITING,)))

    def reopen(self, frozen: FrozenTrial) -> None:
        """Draw the config of an unfinished trial whose driver died before it drew the config.

        The config is written to disk. frozen: Optuna's trial. A trial that has a config is left
        unchanged.
        """
        if not is_drawn(frozen):
            draw_config(live_trial(self.study, frozen.number), self.plan)
            self._file.wait_for_disk()

    def tell_epoch(self, trial_id: str, report: EpochReport) -> None:
        """Store the validation RMSE of an epoch as an intermediate value of the trial."""
        number = storage_id(self.study, int(trial_id))
        self.storage.set_trial_intermediate_value(number, report.epoch, report.val_rmse)

    def tell(self, record: TrialRecord) -> None:
        """Store how a trial ended: complete with objectives, pruned, or failed with a reason.

        record: the record of a trial that has not ended in Optuna. If the plan limits the tree
        residual, a complete trial also stores its excess over the limit as a constraint of Optuna;
        a positive excess means not feasible. A trial whose config made it fail also stores the
        attribute `config_failed`.
        """
        number = int(record.id)
        if record.status == "complete":
            limit = self.plan.max_tree_residual
            if limit is not None and record.tree_residual is not None:
                excess = record.tree_residual - limit
                live_trial(self.study, number).set_constraint(RESIDUAL, excess)
            values = [record.val_rmse, record.tree_residual]
            self.study.tell(number, values[: len(self.study.directions)])  # type: ignore[arg-type]
        elif record.status == "pruned":
            self.study.tell(number, state=TrialState.PRUNED)
        else:
            own = storage_id(self.study, number)
            self.storage.set_trial_user_attr(own, REASON, record.reason)
            if record.config_failed:
                self.storage.set_trial_user_attr(own, BLAMED, True)
            self.study.tell(number, state=TrialState.FAIL)

    def rebuild(self, records: Iterable[TrialRecord], curves: Curves) -> None:
        """Fill an empty journal from the records and curves of the study.

        records: the ended trials. curves: the reported epochs by trial id. Each ended trial keeps
        its number. A lower number without a record is queued again as a trial that has not begun,
        because only the lost journal held its config.
        """
        by_number = {int(record.id): record for record in records}
        for number in range(max(by_number, default=-1) + 1):
            record = by_number.get(number)
            if record is None:
                self._queue_again()
                continue
            self.study.add_trial(self._told(record, curves.get(record.id, ())))

    def _queue_again(self) -> None:
        """Queue the next number: the plan's own trial of that number, or else a trial to draw."""
        number = len(self.trials())
        self.enqueue(num_trials=1)
        if len(self.trials()) == number:  # the plan queues no trial of this number
            self.study.enqueue_trial({})

    def _told(self, record: TrialRecord, curve: Curve) -> FrozenTrial:
        """Return a trial of Optuna with the config, end and epochs of an ended trial."""
        params, distributions = known_draw(record.config, self.plan)
        states = {"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED}
        attributes: dict[str, Any] = user_attributes(
            record.config, published=record.published, origin=record.origin
        )
        if record.status == "failed":
            attributes |= {REASON: record.reason}
            attributes |= {BLAMED: True} if record.config_failed else {}
        values = [record.val_rmse, record.tree_residual][: len(self.study.directions)]
        return optuna.create_trial(
            state=states.get(record.status, TrialState.FAIL),
            values=values if record.status == "complete" else None,  # type: ignore[arg-type]
            params=params,
            distributions=distributions,
            user_attrs=attributes,
            intermediate_values={report.epoch: report.val_rmse for report in curve},
        )
