"""A study's folder: where everything stands, who holds it, and what has been recorded."""

import json
import os
import shutil
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout

from analysis.trial_record import TrialRecord, json_lines, read_records
from galaxytune.study_plan import StoredPlan, read_plan, write_plan
from search_spaces.declaration.frozen_config import did_you_mean
from trainables.files import write_atomically
from trainables.galaxies.galaxy_file import Galaxies
from trainables.galaxies.split import Split, load_split, save_split

State = Literal["running", "finished", "interrupted"]


class StudyFolder:
    """The paths of one study and what they hold; see docs/study-folder.md."""

    def __init__(self, path: Path) -> None:
        """`path` is the folder itself, studies/NAME."""
        self.path = path
        self.plan_file = path / "plan.yaml"
        self.records_file = path / "trials.jsonl"
        self.journal_file = path / "optuna.journal"
        self.curves = path / "curves"
        self.checkpoints = path / "checkpoints"
        self.split_file = path / "split.npz"
        self.report = path / "report"
        self.ray = path / "ray"
        self.retries_file = path / "retries.jsonl"
        self.ended_file = path / "ended.json"
        self.halving_file = path / "halving.json"
        self.paused_file = path / "paused.json"
        self.packing_file = path / "packing.json"
        self.mirrored_file = path / "wandb" / "mirrored.jsonl"

    @property
    def name(self) -> str:
        """The study's name."""
        return self.path.name

    @property
    def plan(self) -> StoredPlan:
        """The stored plan."""
        return read_plan(self.plan_file)

    def records(self) -> list[TrialRecord]:
        """Records of all finished trials, in the order in which they ended."""
        return read_records(self.records_file)

    def curve_file(self, trial_id: str) -> Path:
        """Where the reported epochs of a trial stand, one JSON line each."""
        return self.curves / f"{trial_id}.jsonl"

    def curve(self, trial_id: str) -> list[dict[str, Any]]:
        """The reported epochs of a trial."""
        return json_lines(self.curve_file(trial_id))

    def trial_ids_with_curve(self) -> list[str]:
        """Ids of all trials that reported an epoch, sorted."""
        return sorted(path.stem for path in self.curves.glob("*.jsonl"))

    def paused_ids(self) -> list[str]:
        """Ids of the trials that halving let pause, as far as the running driver has noted."""
        try:
            return list(json.loads(self.paused_file.read_text()))
        except (FileNotFoundError, ValueError):  # none pauses; a power cut left it empty
            return []

    def checkpoint_folder(self, trial_id: str) -> Path:
        """Where a trial keeps its last state and best weights."""
        return self.checkpoints / trial_id

    @property
    def ended(self) -> str | None:
        """Which budget ended the study before its last trial, None if none did."""
        if not self.ended_file.exists():
            return None
        return str(json.loads(self.ended_file.read_text())["reason"])

    def mark_ended(self, reason: str) -> None:
        """Note that a budget has ended the study."""
        text = json.dumps({"reason": reason}) + "\n"
        write_atomically(self.ended_file, lambda path: path.write_text(text))

    def forget(self, trial_id: str) -> None:
        """Remove the curve and checkpoints of a trial that is to begin anew."""
        self.curve_file(trial_id).unlink(missing_ok=True)
        shutil.rmtree(self.checkpoint_folder(trial_id), ignore_errors=True)

    def lock(self) -> FileLock:
        """The lock that a running driver holds; the system frees it when the driver dies."""
        return FileLock(self.path / "driver.lock")

    def state(self) -> State:
        """Whether a driver runs, all trials are done, or there is something to resume."""
        try:
            with self.lock().acquire(timeout=0):
                pass
        except Timeout:
            return "running"
        done = self.ended is not None or len(self.records()) >= self.plan.trials
        return "finished" if done else "interrupted"

    def split_rows(self) -> Split:
        """The stored split, as row numbers of the data file."""
        return load_split(self.split_file)


def create_study(storage: Path, plan: StoredPlan, galaxies: Galaxies, split: Split) -> StudyFolder:
    """Make the folder of a new study; ValueError if one of that name exists."""
    folder = StudyFolder(storage.resolve() / plan.name)
    if folder.plan_file.exists():
        raise ValueError(
            f"study {plan.name!r} exists in {storage}; "
            f"`galaxytune resume {plan.name}` continues it, or choose another --name"
        )
    for path in (folder.curves, folder.checkpoints):
        path.mkdir(parents=True, exist_ok=True)
    save_split(folder.split_file, split, galaxies.ids)
    write_plan(plan, folder.plan_file)  # last: a folder with a plan is whole
    return folder


def open_study(storage: Path, name: str) -> StudyFolder:
    """The folder of an existing study; ValueError that names those there are."""
    folder = StudyFolder(storage.resolve() / name)
    if not folder.plan_file.exists():
        known = [p.parent.name for p in storage.glob("*/plan.yaml")]
        hint = did_you_mean(name, known) if known else "; there are none"
        raise ValueError(f"no study {name!r} in {os.fspath(storage)}{hint}")
    return folder
