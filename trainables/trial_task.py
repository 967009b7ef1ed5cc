"""What a trial, or a pack of trials that are trained as one, is to do."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

_STOPPED = "stopped"  # in a trial's checkpoint folder: it has ended, its pack goes on


@dataclass(frozen=True)
class TrialTask:
    """What one trial is to do, in values that any node understands.

    `config` holds the values of a config; `data`, `split` (the study's stored rows) and
    `checkpoints` are paths that every node can reach; `num_threads` is the trial's share of the
    processor.
    """

    trial_id: str
    config: dict[str, Any]
    data: str
    split: str
    checkpoints: str
    num_threads: int
    uses_gpu: bool

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


def mark_stopped(task: TrialTask) -> None:
    """Tell the worker that a trial has ended and the rest of its pack goes on."""
    folder = Path(task.checkpoints)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _STOPPED).touch()


def is_stopped(task: TrialTask) -> bool:
    """Whether the driver has marked a trial of a pack as ended."""
    return (Path(task.checkpoints) / _STOPPED).exists()


def remove_mark(task: TrialTask) -> None:
    """Take back what `mark_stopped` left, and the folder if that was all it held."""
    folder = Path(task.checkpoints)
    (folder / _STOPPED).unlink(missing_ok=True)
    if folder.exists() and not any(folder.iterdir()):
        folder.rmdir()
