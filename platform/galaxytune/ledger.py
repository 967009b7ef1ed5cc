"""The ledger of a running study: the one place that writes what happened to its trials.

Order matters when the driver may die at any moment: a trial is first recorded in
`trials.jsonl`, then told to Optuna; an epoch first stands in `curves/`, then anywhere else.
On resume whatever is behind is brought level with those two.
"""

import os
import shutil
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, Trial, TrialState

from analysis.leaderboard import ranked
from analysis.trial_record import Status, TrialRecord
from galaxytune.proposals import draw_config, enqueue_grid, enqueue_published
from galaxytune.study_folder import StudyFolder
from trainables.checkpoint import LAST
from trainables.files import append_line, last_line_start

_KEPT_CHECKPOINTS = 5  # weights of so many best trials stay, besides those of live trials
_OTHER_COLUMNS = ("epoch", "seconds", "learning_rate")


class StudyObserver(Protocol):
    """Someone who is told what happens: the progress display, the W&B mirror."""

    def trial_started(self, trial_id: str, config: Mapping[str, Any], published: bool) -> None:
        """A trial was handed out, for the first time or again after a resume."""

    def epoch_reported(self, trial_id: str, report: Mapping[str, float]) -> None:
        """A new epoch stands in the curve."""

    def trial_finished(self, record: TrialRecord) -> None:
        """A trial's record is written."""


def _mend_journal(journal: Path) -> None:
    """Undo what a driver killed in mid-write leaves; only the holder of the study calls this."""
    Path(f"{journal}.lock").unlink(missing_ok=True)
    if journal.exists() and not journal.read_bytes().endswith(b"\n"):
        os.truncate(journal, last_line_start(journal))


class Ledger:
    """What is known of every trial of a study, kept level with its folder and with Optuna."""

    def __init__(self, folder: StudyFolder) -> None:
        """Open the folder's records and journal and reconcile them."""
        self.folder, self.plan = folder, folder.plan
        self.observers: tuple[StudyObserver, ...] = ()
        self.records = {record.id: record for record in folder.records()}
        self.curves = {i: folder.curve(i) for i in folder.trial_ids_with_curve()}
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.study = self._open_optuna()
        self.unfinished = self._reconcile()

    def __getstate__(self) -> dict[str, Any]:
        """What Tune's snapshots hold of a ledger: its folder, from which a resume rebuilds it."""
        return {"folder": self.folder}

    @property
    def num_left(self) -> int:
        """How many trials are still to end."""
        return self.plan.trials - len(self.records)

    def next_trial(self) -> tuple[str, dict[str, Any]] | None:
        """Id and config values of the next trial to run, or None when all were handed out."""
        if self.unfinished:
            trial = self.unfinished.pop(0)
        elif len(self._numbers()) < self.plan.trials:
            trial = draw_config(self.study.ask(), self.plan)
        else:
            return None
        config, published = trial.user_attrs["config"], trial.user_attrs["published"]
        self.folder.curve_file(_id(trial.number)).touch()  # `status` sees that it runs
        for observer in self.observers:
            observer.trial_started(_id(trial.number), config, published)
        return _id(trial.number), config

    def record_epoch(self, trial_id: str, result: Mapping[str, Any]) -> None:
        """Put a reported epoch into the curve, unless it stands there already."""
        curve = self.curves.setdefault(trial_id, [])
        if trial_id in self.records or int(result["epoch"]) != len(curve) + 1:
            return
        report = {
            name: float(value)
            for name, value in result.items()
            if name.startswith(("train_", "val_")) or name in _OTHER_COLUMNS
        }
        append_line(self.folder.curve_file(trial_id), report)
        curve.append(report)
        self._tell_epoch(trial_id, report)
        for observer in self.observers:
            observer.epoch_reported(trial_id, report)

    def finish(self, trial_id: str, status: Status, reason: str) -> None:
        """Record how a trial ended, tell Optuna, and let go of what it no longer needs."""
        if trial_id in self.records:
            return
        record = self._make_record(trial_id, status, reason)
        append_line(self.folder.records_file, record.model_dump(mode="json"))
        self.records[trial_id] = record
        self._tell(record)
        self._clean_checkpoints(trial_id)
        for observer in self.observers:
            observer.trial_finished(record)

    def is_published(self, trial_id: str) -> bool:
        """Whether a trial runs its architecture's published config."""
        return bool(self._frozen(trial_id).user_attrs["published"])

    def wandb_run_id(self, trial_id: str) -> str:
        """The trial's W&B run id, the same on every resume."""
        return f"{self.plan.provenance.study_id}-{trial_id}"

    def _numbers(self) -> list[int]:
        trials = self.study.get_trials(deepcopy=False)
        return [t.number for t in trials if t.state != TrialState.WAITING]

    def _open_optuna(self) -> optuna.Study:
        _mend_journal(self.folder.journal_file)
        self.storage = JournalStorage(JournalFileBackend(str(self.folder.journal_file)))
        study = optuna.create_study(
            study_name=self.plan.name,
            storage=self.storage,
            direction="minimize",
            load_if_exists=True,
        )
        with warnings.catch_warnings():  # `group` is marked experimental since Optuna 2.8
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            sampler = optuna.samplers.TPESampler(
                multivariate=True,
                group=True,
                # Optuna's own 10 would leave a short study nothing but random draws
                n_startup_trials=max(4, min(10, self.plan.trials // 4)),
                # a resumed sampler must not draw its first draws again
                seed=self.plan.seed + 1_000_003 * len(study.get_trials(deepcopy=False)),
            )
        study.sampler = sampler
        return study

    def _reconcile(self) -> list[Trial]:
        """Bring Optuna level with the records; returns the trials that are still to end."""
        enqueue = enqueue_grid if self.plan.grid else enqueue_published
        enqueue(self.study, self.plan)
        unfinished = []
        for frozen in self.study.get_trials(deepcopy=False):
            if frozen.state != TrialState.RUNNING:
                continue
            for report in self.curves.get(_id(frozen.number), [])[
                len(frozen.intermediate_values) :
            ]:
                self._tell_epoch(_id(frozen.number), report)
            record = self.records.get(_id(frozen.number))
            if record is not None:
                self._tell(record)
                continue
            trial = Trial(self.study, frozen._trial_id)
            if "config" not in trial.user_attrs:  # the driver died while it was being drawn
                draw_config(trial, self.plan)
            unfinished.append(trial)
        return unfinished

    def _frozen(self, trial_id: str) -> FrozenTrial:
        return self.study.get_trials(deepcopy=False)[int(trial_id)]

    def _tell_epoch(self, trial_id: str, report: Mapping[str, float]) -> None:
        self.storage.set_trial_intermediate_value(
            self._frozen(trial_id)._trial_id, int(report["epoch"]), report["val_rmse"]
        )

    def _make_record(self, trial_id: str, status: Status, reason: str) -> TrialRecord:
        curve = self.curves.get(trial_id, [])
        attributes = self._frozen(trial_id).user_attrs
        config = attributes["config"]
        monitored = [report[config["early_stopping_metric"]] for report in curve]
        best = monitored.index(min(monitored)) + 1 if curve else 0
        seconds = sum(report["seconds"] for report in curve)
        share = self.plan.gpus_per_trial or self.plan.cpus_per_trial
        return TrialRecord(
            id=trial_id,
            architecture=config["architecture"],
            config=config,
            published=attributes["published"],
            status=status,
            reason=reason,
            best_epoch=best,
            metrics=_by_split(curve[best - 1]) if curve else {},
            epochs=len(curve),
            device_seconds=seconds * share,
            wandb_run_id=None if self.plan.wandb == "disabled" else self.wandb_run_id(trial_id),
        )

    def _tell(self, record: TrialRecord) -> None:
        number = int(record.id)
        if record.status == "complete":
            self.study.tell(number, record.val_rmse)
        elif record.status == "pruned":
            self.study.tell(number, state=TrialState.PRUNED)
        else:
            optuna_id = self._frozen(record.id)._trial_id
            self.storage.set_trial_user_attr(optuna_id, "reason", record.reason)
            self.study.tell(number, state=TrialState.FAIL)

    def _clean_checkpoints(self, trial_id: str) -> None:
        """Drop the ended trial's last state, and weights of all but the best trials.

        The best of each architecture is kept too: reports compare them.
        """
        (self.folder.checkpoint_folder(trial_id) / LAST).unlink(missing_ok=True)
        order = ranked(self.records.values())
        best = {r.architecture: r.id for r in reversed(order)}
        keep = {r.id for r in order[:_KEPT_CHECKPOINTS]} | set(best.values())
        for record in self.records.values():
            folder = self.folder.checkpoint_folder(record.id)
            if record.id not in keep and folder.exists():
                shutil.rmtree(folder, ignore_errors=True)


def _id(number: int) -> str:
    return f"{number:05d}"


def _by_split(report: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """{"val_rmse": x, "train_rmse": y} -> {"validation": {"rmse": x}, "train": {"rmse": y}}."""
    splits: dict[str, dict[str, float]] = {"train": {}, "validation": {}}
    for name, value in report.items():
        prefix, _, metric = name.partition("_")
        if prefix in ("train", "val"):
            splits["validation" if prefix == "val" else "train"][metric] = value
    return splits
