"""Small studies for tests, and what a study must have left once it has ended."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from analysis.records.trial_record import TrialRecord
from galaxytune.plan.making import make_plan
from galaxytune.study.creation import new_study
from galaxytune.study.folder import StudyFolder
from tests.support.wandb_file import read_run
from trainables.files.json_lines import read_json_lines

BeginStudy = Callable[..., StudyFolder]


def small_study(data: Path, storage: Path, **changes: Any) -> StudyFolder:
    """Make a study of four trials of four epochs of simple_cnn, for trainables that pretend.

    storage: the folder of the studies. changes: keys of the plan in place of those.
    """
    values: dict[str, Any] = {
        "name": "s",
        "architectures": ["simple_cnn"],
        "data": str(data),
        "trials": 4,
        "epochs": 4,
        "halving": False,
        "wandb": "disabled",
        "max_retries": 1,
    }
    return new_study(make_plan(values | changes), storage)


def training_study(data: Path, storage: Path, **changes: Any) -> StudyFolder:
    """Make a study of six trials of three epochs that really train a narrow simple_cnn.

    storage: the folder of the studies. changes: keys of the plan in place of those.
    """
    values: dict[str, Any] = {
        "name": "toy",
        "architectures": ["simple_cnn"],
        "data": str(data),
        "trials": 6,
        "epochs": 3,
        "grace_epochs": 1,
        "set": {"width": 0.1, "batch_size": 32},
        "wandb": "disabled",
    }
    if "grid" in changes:
        del values["trials"]  # a grid decides the number itself
    return new_study(make_plan(values | changes), storage)


def statuses(folder: StudyFolder) -> dict[str, str]:
    """Return the status of every trial that has ended, by trial id."""
    return {record.id: record.status for record in folder.records()}


def record_of(folder: StudyFolder, trial_id: str) -> TrialRecord:
    """Return the one record of a trial."""
    (found,) = (record for record in folder.records() if record.id == trial_id)
    return found


def optuna_trials(folder: StudyFolder) -> list[optuna.trial.FrozenTrial]:
    """Return the trials of a study as Optuna's own backend reads them from the journal."""
    storage = JournalStorage(JournalFileBackend(str(folder.journal_file)))
    return optuna.load_study(study_name=folder.name, storage=storage).trials


def assert_whole(folder: StudyFolder) -> None:
    """Assert that every trial ended once: in the records, in Optuna and in its curve."""
    records = {record.id: record for record in folder.records()}
    assert len(folder.records()) == len(records) == folder.plan.trials
    states = {"complete": "COMPLETE", "pruned": "PRUNED", "failed": "FAIL"}
    trials = {f"{t.number:05d}": t for t in optuna_trials(folder)}
    assert {i: states[r.status] for i, r in records.items()} == {
        i: t.state.name for i, t in trials.items()
    }
    for record in records.values():
        curve = folder.curve(record.id)
        assert [report.epoch for report in curve] == list(range(1, record.epochs + 1))
        reported = {report.epoch: report.val_rmse for report in curve}
        assert trials[record.id].intermediate_values == reported


def wandb_runs(folder: StudyFolder) -> dict[str, dict[str, Any]]:
    """Return what a study's W&B files hold, by run id; two files of one run are an error."""
    files = list((folder.path / "wandb").glob("offline-run-*/run-*.wandb"))
    runs = [read_run(file) for file in files]
    assert len({run["id"] for run in runs}) == len(files)
    return {run["id"]: run for run in runs}


def assert_mirrored(folder: StudyFolder) -> None:
    """Assert that each number of each curve stands in the trial's W&B run, under its own step."""
    runs = wandb_runs(folder)
    assert set(runs) == {record.wandb_run_id for record in folder.records()}
    for record in folder.records():
        run = runs[record.wandb_run_id or ""]
        logged = {
            step: {k: row[k] for k in row if k[0] != "_"} for step, row in run["history"].items()
        }
        lines = read_json_lines(folder.curve_file(record.id))
        assert logged == {int(line["epoch"]): line for line in lines}
        assert run["group"] == folder.name
        assert {record.architecture, record.status} <= set(run["tags"])
        assert run["config"]["learning_rate"] == record.config.learning_rate
        assert run["summary"]["best_val_rmse"] == record.val_rmse
