"""What a trial, or a pack of trials that are trained as one, is to do."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class TrialTask:
    """What one trial is to do, in values that any node understands.

    `config` holds the values of a config; `data`, `split` (the study's stored rows) and
    `checkpoints` are paths that every node can reach; `num_threads` is the trial's share of the
    processor; `known_epochs` are those whose reports the study has already.
    """

    trial_id: str
    config: dict[str, Any]
    data: str
    split: str
    checkpoints: str
    num_threads: int
    uses_gpu: bool
    known_epochs: int = 0

    @property
    def members(self) -> tuple["TrialTask", ...]:
        """The trial itself, as a pack of one."""
        return (self,)


@dataclass(frozen=True)
class PackTask:
    """Trials to be trained as one; they differ in id, config and checkpoints alone."""

    members: tuple[TrialTask, ...]

    @property
    def trial_id(self) -> str:
        """The first trial's id, which names the pack."""
        return self.members[0].trial_id


def _mark(task: TrialTask) -> Path:
    """In the trial's checkpoint folder; a trial that paused has another when it goes on."""
    return Path(task.checkpoints) / f"stopped-{task.known_epochs}"


def mark_stopped(task: TrialTask) -> None:
    """Tell the worker that a trial has ended, or pauses, and the rest of its pack goes on."""
    Path(task.checkpoints).mkdir(parents=True, exist_ok=True)
    _mark(task).touch()


def is_stopped(task: TrialTask) -> bool:
    """Whether the driver has marked a trial of a pack as ended or paused."""
    return _mark(task).exists()


def remove_mark(task: TrialTask) -> None:
    """Take back what `mark_stopped` left, and the folder if that was all it held."""
    folder = Path(task.checkpoints)
    _mark(task).unlink(missing_ok=True)
    if folder.exists() and not any(folder.iterdir()):
        folder.rmdir()
