"""The task of a trial, or of a pack of trials that are trained together."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class TrialTask:
    """The task of one trial, in plain values that every node can read.

    trial_id: the trial's id in the study.
    config: the values of the config, by field name.
    data: path of the galaxy file, which every node can reach.
    split: path of the study's stored rows, which every node can reach.
    checkpoints: path of the trial's checkpoint folder, which every node can reach; the folder need
        not exist.
    num_threads: number of processor threads that the trial may use.
    uses_gpu: True if the trial trains on a GPU.
    known_epochs: number of epochs whose reports the study had when the task was made.
    num_cpus: number of CPUs that Ray holds for the trial, perhaps a fraction; None for all CPUs of
        the node. The trial may take as large a share of the node's memory as of its CPUs.
    """

    trial_id: str
    config: dict[str, Any]
    data: str
    split: str
    checkpoints: str
    num_threads: int
    uses_gpu: bool
    known_epochs: int = 0
    num_cpus: float | None = None

    @property
    def members(self) -> tuple["TrialTask", ...]:
        """The task itself, as a pack of one."""
        return (self,)


@dataclass(frozen=True)
class PackTask:
    """The task of several trials that are trained as one pack.

    members: the tasks of the trials, at least one, which differ only in id, config, checkpoint
        folder and known epochs.
    """

    members: tuple[TrialTask, ...]

    @property
    def trial_id(self) -> str:
        """The id of the first trial, which names the pack."""
        return self.members[0].trial_id


def _mark(task: TrialTask) -> Path:
    """Return the path of a trial's stop mark in its checkpoint folder.

    The name of the mark holds the number of known epochs. So the mark of a pause does not stop the
    trial when it goes on later.
    """
    return Path(task.checkpoints) / f"stopped-{task.known_epochs}"


def mark_stopped(task: TrialTask) -> None:
    """Create the stop mark of a trial that has ended or pauses, while its pack goes on.

    The worker removes a marked trial from the pack. The mark is an empty file in the trial's
    checkpoint folder, which is made if it does not exist. OSError is raised if the mark cannot be
    written.
    """
    Path(task.checkpoints).mkdir(parents=True, exist_ok=True)
    _mark(task).touch()


def is_stopped(task: TrialTask) -> bool:
    """Return whether a trial of a pack is marked as ended or paused.

    A mark of another task of the trial, with other known epochs, does not count.
    """
    return _mark(task).exists()


def remove_mark(task: TrialTask) -> None:
    """Delete the mark of `mark_stopped`, and the checkpoint folder if it is then empty.

    A mark or a folder that does not exist is no error. OSError is raised if the disk refuses.
    """
    folder = Path(task.checkpoints)
    _mark(task).unlink(missing_ok=True)
    if folder.exists() and not any(folder.iterdir()):
        folder.rmdir()
