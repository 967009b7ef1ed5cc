"""Optuna's side of a study: its storage, its sampler, and what it is told of each trial.

Only the driver writes the journal. It follows `trials.jsonl` and `curves/`, from which it can be
written anew: a journal that is damaged is put aside and rebuilt.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import JournalStorage
from optuna.trial import FrozenTrial, Trial, TrialState

from analysis.trial_record import TrialRecord
from galaxytune.journal_file import JournalFile
from galaxytune.penalising_sampler import BLAMED
from galaxytune.proposals import (
    draw_config,
    enqueue_grid,
    enqueue_like,
    enqueue_published,
    known_draw,
)
from galaxytune.study_plan import StudyPlan
from galaxytune.study_sampler import study_sampler

REASON = "reason"
RESIDUAL = "tree_residual"


def trial_id_of(number: int) -> str:
    """A trial's id everywhere else: 00007."""
    return f"{number:05d}"


def _put_aside(journal: Path) -> None:
    number = 1
    while (aside := journal.with_name(f"{journal.name}.damaged-{number}")).exists():
        number += 1
    journal.rename(aside)


class OptunaJournal:
    """The Optuna study of a plan, in its journal file."""

    def __init__(self, path: Path, plan: StudyPlan) -> None:
        """Open or create it; `was_damaged` says that it was put aside and begun anew."""
        self.plan = plan
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._file, self.was_damaged = JournalFile(path), False
        try:
            self.storage = JournalStorage(self._file)
        except ValueError:
            _put_aside(path)
            self._file, self.was_damaged = JournalFile(path), True
            self.storage = JournalStorage(self._file)
        num_objectives = 2 if plan.has_two_objectives else 1
        self.study = optuna.create_study(
            study_name=plan.name,
            storage=self.storage,
            directions=[optuna.study.StudyDirection.MINIMIZE] * num_objectives,
            load_if_exists=True,
        )
        self.study.sampler = study_sampler(plan, len(self.trials()))
        self._num_begun: int | None = None

    def trials(self) -> list[FrozenTrial]:
        """All trials, those queued and not yet begun included."""
        return self.study.get_trials(deepcopy=False)

    def num_begun(self) -> int:
        """How many trials have been handed out."""
        if self._num_begun is None:
            self._num_begun = sum(t.state != TrialState.WAITING for t in self.trials())
        return self._num_begun

    def frozen(self, trial_id: str) -> FrozenTrial:
        """A trial as the storage has it."""
        return self.storage.get_trial(self._optuna_id(trial_id))

    def _optuna_id(self, trial_id: str) -> int:
        """What the storage calls a trial; found without a look at the others."""
        study = self.study._study_id
        return self.storage.get_trial_id_from_study_id_trial_number(study, int(trial_id))

    def enqueue(self, num_trials: int | None = None) -> None:
        """Queue what the plan begins with, or some of it, after what was queued already."""
        enqueue = enqueue_grid if self.plan.grid else enqueue_published
        enqueue(self.study, self.plan, num_trials)

    def ask(self, like: Mapping[str, Any] | None = None) -> Trial:
        """The next trial, its config drawn and on disk.

        Where none is queued, one `like` a config shares with it all that shapes a network.
        """
        if like is not None and not self._has_queued():
            enqueue_like(self.study, self.plan, like)
        num_begun, self._num_begun = self.num_begun(), None  # unknown if the disk refuses below
        trial = draw_config(self.study.ask(), self.plan)
        self._file.wait_for_disk()  # a trial that trains must not lose its config, nor its number
        self._num_begun = num_begun + 1
        return trial

    def _has_queued(self) -> bool:
        return bool(self.study.get_trials(deepcopy=False, states=(TrialState.WAITING,)))

    def reopen(self, frozen: FrozenTrial) -> None:
        """Draw a trial that is still to end, if the driver died while it was drawn."""
        if "config" not in frozen.user_attrs:
            draw_config(Trial(self.study, frozen._trial_id), self.plan)
            self._file.wait_for_disk()

    def tell_epoch(self, trial_id: str, report: Mapping[str, Any]) -> None:
        """Store an epoch's RMSE as an intermediate value."""
        self.storage.set_trial_intermediate_value(
            self._optuna_id(trial_id), int(report["epoch"]), report["val_rmse"]
        )

    def tell(self, record: TrialRecord) -> None:
        """Store how a trial ended: complete, pruned, or failed with its reason."""
        optuna_id = self._optuna_id(record.id)
        number = int(record.id)
        if record.status == "complete":
            limit = self.plan.max_tree_residual
            if limit is not None and record.tree_residual is not None:
                excess = record.tree_residual - limit
                Trial(self.study, optuna_id).set_constraint(RESIDUAL, excess)
            values = [record.val_rmse, record.tree_residual]
            self.study.tell(number, values[: len(self.study.directions)])  # type: ignore[arg-type]
        elif record.status == "pruned":
            self.study.tell(number, state=TrialState.PRUNED)
        else:
            self.storage.set_trial_user_attr(optuna_id, REASON, record.reason)
            if record.config_failed:
                self.storage.set_trial_user_attr(optuna_id, BLAMED, True)
            self.study.tell(number, state=TrialState.FAIL)

    def rebuild(
        self, records: Iterable[TrialRecord], curves: Mapping[str, Sequence[Mapping[str, Any]]]
    ) -> None:
        """Fill an empty journal from records and curves.

        A trial that had not ended lost its config with the journal: its number is queued again.
        """
        by_number = {int(record.id): record for record in records}
        for number in range(max(by_number, default=-1) + 1):
            record = by_number.get(number)
            if record is None:
                self._queue_again()
                continue
            self.study.add_trial(self._told(record, curves.get(record.id, ())))

    def _queue_again(self) -> None:
        number = len(self.trials())
        self.enqueue(num_trials=1)
        if len(self.trials()) == number:  # it was drawn
            self.study.enqueue_trial({})

    def _told(self, record: TrialRecord, curve: Sequence[Mapping[str, Any]]) -> FrozenTrial:
        params, distributions = known_draw(record.config, self.plan)
        states = {"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED}
        attributes: dict[str, Any] = {"config": record.config, "published": record.published}
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
            intermediate_values={int(r["epoch"]): r["val_rmse"] for r in curve},
        )
