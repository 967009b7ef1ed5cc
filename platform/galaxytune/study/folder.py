"""A study's folder: the paths and contents of its files, and the lock of its driver."""

import fcntl
import json
import shutil
from pathlib import Path
from typing import Literal

from filelock import FileLock

from analysis.records import Curves, TrialRecord, read_records
from galaxytune.plan import StoredPlan, read_plan
from galaxytune.study.earlier_trials import EarlierTrial, read_earlier_trials
from search_spaces.declaration import InvalidInput
from trainables.files import check_can_write, read_json_lines, write_atomically
from trainables.galaxies import Split, load_split
from trainables.training import EpochReport

State = Literal["running", "finished", "interrupted"]
_LOCK = "driver.lock"


class StudyFolder:
    """The folder of one study: the paths and the contents of its files.

    docs/study-folder.md describes each file. A file need not exist, except `plan_file`. A method
    that reads a damaged file raises InvalidInput, unless its docstring names another error.

    path: the folder itself.
    moved_data: the galaxy file that `plan` names in place of the stored path; None for the stored
        path. See `data_at`.

    The other attributes are paths in this folder.
    """

    def __init__(self, path: Path) -> None:
        """Take the path of the study's own folder, such as studies/NAME; nothing is read."""
        self.path = path
        self.plan_file = path / "plan.yaml"
        self.records_file = path / "trials.jsonl"
        self.journal_file = path / "optuna.journal"
        self.curves_folder = path / "curves"
        self.checkpoints = path / "checkpoints"
        self.split_file = path / "split.npz"
        self.report = path / "report"
        self.ray = path / "ray"
        self.retries_file = path / "retries.jsonl"
        self.ended_file = path / "ended.json"
        self.halving_file = path / "halving.json"
        self.paused_file = path / "paused.json"
        self.packing_file = path / "packing.json"
        self.ablation_file = path / "ablation.json"
        self.first_file = path / "first_trials.jsonl"
        self.earlier_file = path / "earlier_trials.jsonl"
        self.wandb = path / "wandb"
        self.mirrored_file = self.wandb / "mirrored.jsonl"
        self.moved_data: Path | None = None
        self._read: tuple[tuple[int, int], StoredPlan] | None = None

    @property
    def name(self) -> str:
        """The study's name, which is the name of the folder."""
        return self.path.name

    @property
    def plan(self) -> StoredPlan:
        """The stored plan, with `moved_data` as its data file if there is one.

        The file is read again only after it has changed.

        FileNotFoundError is raised if the folder has no plan.
        """
        state = self.plan_file.stat()
        key = (state.st_mtime_ns, state.st_ino)
        if self._read is None or self._read[0] != key:
            self._read = key, read_plan(self.plan_file)
        stored = self._read[1]
        if self.moved_data is None:
            return stored
        return stored.model_copy(update={"data": str(self.moved_data)})

    def earlier_trials(self) -> list[EarlierTrial]:
        """Return the trials of earlier studies from which the study learns; [] for none."""
        return read_earlier_trials(self.earlier_file)

    def records(self) -> list[TrialRecord]:
        """Return the records of all ended trials, in the order in which the trials ended.

        The list is empty if no trial has ended.
        """
        return read_records(self.records_file)

    def curve_file(self, trial_id: str) -> Path:
        """Return the path of the file with a trial's reported epochs, one JSON line each."""
        return self.curves_folder / f"{trial_id}.jsonl"

    def curve(self, trial_id: str) -> list[EpochReport]:
        """Return the reported epochs of a trial, the first epoch first; [] if there are none.

        KeyError is raised if a line of the file lacks a number of an epoch.
        """
        return [
            EpochReport.from_values(line) for line in read_json_lines(self.curve_file(trial_id))
        ]

    def curves(self) -> Curves:
        """Return the reported epochs of all trials that were handed out, by trial id.

        The list of a trial is empty if the trial has reported no epoch. KeyError as in `curve`.
        """
        return {trial_id: self.curve(trial_id) for trial_id in self.trial_ids_with_curve()}

    def trial_ids_with_curve(self) -> list[str]:
        """Return the sorted ids of all trials that were handed out to a worker, ended or not."""
        return sorted(path.stem for path in self.curves_folder.glob("*.jsonl"))

    def paused_ids(self) -> list[str]:
        """Return the ids of the trials that pause, as the driver wrote them last.

        The list is empty if no trial pauses, or if the file is damaged.
        """
        try:
            return list(json.loads(self.paused_file.read_text()))
        except (FileNotFoundError, json.JSONDecodeError):  # no trial pauses, or a power cut
            return []

    def checkpoint_folder(self, trial_id: str) -> Path:
        """Return the path of the folder for a trial's last state and best weights.

        The folder need not exist.
        """
        return self.checkpoints / trial_id

    @property
    def ended(self) -> str | None:
        """The budget that ended the study before its last trial, in words; None if no budget did.

        json.JSONDecodeError is raised if ended.json is damaged.
        """
        if not self.ended_file.exists():
            return None
        return str(json.loads(self.ended_file.read_text())["reason"])

    def mark_ended(self, reason: str) -> None:
        """Write ended.json, which records that a budget has ended the study.

        reason: the budget, in words. OSError is raised if the file cannot be written.
        """
        text = json.dumps({"reason": reason}) + "\n"
        write_atomically(self.ended_file, lambda path: path.write_text(text))

    def forget(self, trial_id: str) -> None:
        """Remove the curve and the checkpoints, if there are any, of a trial that begins again."""
        self.curve_file(trial_id).unlink(missing_ok=True)
        shutil.rmtree(self.checkpoint_folder(trial_id), ignore_errors=True)

    def check_can_write(self) -> None:
        """Raise InvalidInput if this user may not write to the folder; nothing is written."""
        check_can_write(
            self.path, "copy the study to a folder that you may write to, and give it as --storage"
        )

    def lock(self) -> FileLock:
        """Return the study's lock, not acquired; a driver holds the lock while it runs.

        The lock is the file driver.lock, which is created when a lock is acquired. The system
        frees the lock of a driver that dies.
        """
        return FileLock(self.path / _LOCK)

    def state(self) -> State:
        """Return `running`, `finished` or `interrupted`.

        A study is running if a driver holds its lock. Otherwise it is finished if all trials have
        ended or a budget ended the study, and interrupted if trials are left, also if no trial was
        ever begun. Nothing is written. InvalidInput is raised if the lock file cannot be read.
        """
        if _is_held(self.path / _LOCK):
            return "running"
        done = self.ended is not None or len(self.records()) >= self.plan.trials
        return "finished" if done else "interrupted"

    def split_rows(self) -> Split:
        """Return the stored split: the row numbers of each part in the data file.

        A missing or damaged file raises InvalidInput.
        """
        return load_split(self.split_file)


def _is_held(lock: Path) -> bool:
    """Return whether another process holds a lock file; a file that does not exist is free.

    The lock is shared for a moment to see whether it is free, which needs no permission to write.
    InvalidInput is raised if the file cannot be read.
    """
    try:
        with lock.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    except OSError as error:
        raise InvalidInput(f"{lock} cannot be read: {error.strerror}") from None
    return False
