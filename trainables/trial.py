"""One trial as Ray Tune runs it: a function trainable around a plain training run.

Everything that a trial needs stands in its `TrialTask`; the only shared state is the folder of
its checkpoints. A trial that is started again goes on after its last checkpoint and reports what
epochs before it the study does not know, so that a driver which lost the last messages has them
all; whoever keeps the curves takes each epoch once.
"""

import functools
from pathlib import Path
from typing import Any

import torch
from ray import tune  # noqa: TID251  the one place where a trial meets Ray

from trainables.files import DISK_REFUSES
from trainables.galaxies.galaxy_file import Galaxies, open_galaxies
from trainables.galaxies.split import Split, load_split
from trainables.micro_batch import OutOfMemory
from trainables.stored_run import StoredRun
from trainables.training import Diverged
from trainables.trial_pack import run_pack
from trainables.trial_task import PackTask, TrialTask


@functools.lru_cache(maxsize=2)
def _galaxies(data: str, split: str) -> tuple[Galaxies, Split]:
    """Map a file once a process; a reused actor finds it ready for its next trial."""
    return open_galaxies(Path(data)), load_split(Path(split))


def run_trial(parameters: dict[str, Any]) -> None:
    """Train the task under `parameters["task"]`, a trial or a pack, reporting each epoch to Tune.

    A run that diverges, or finds no room for even one galaxy, reports `failure` with the reason
    as its last message and returns; its numbers never hold a NaN. One that cannot write its
    checkpoints or cached features reports `storage_failure`: then the study is to stop, not this
    trial alone. `finished` in the last report of a whole run says why it ended.
    """
    task: TrialTask | PackTask = parameters["task"]
    first = task.members[0]
    torch.set_num_threads(first.num_threads)
    galaxies, split = _galaxies(first.data, first.split)
    try:
        if isinstance(task, PackTask):
            run_pack(task.members, galaxies, split, tune.report)
        else:
            _run_alone(task, galaxies, split)
    finally:
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def _run_alone(task: TrialTask, galaxies: Galaxies, split: Split) -> None:
    stored: StoredRun | None = None
    try:
        stored = StoredRun(task, galaxies, split)
        stored.resume()
        for report in stored.untold_reports():
            tune.report(report)
        while stored.run.finished is None:
            stored.run.run_epoch()
            stored.keep()
            tune.report(stored.reports()[-1])
    except (Diverged, OutOfMemory) as error:
        tune.report({"epoch": _next_epoch(stored), "failure": str(error)})
    except OSError as error:
        if error.errno not in DISK_REFUSES:
            raise
        told = f"{error.strerror} ({error.filename})"
        tune.report({"epoch": _next_epoch(stored), "storage_failure": told})


def _next_epoch(stored: StoredRun | None) -> int:
    """The epoch that a run was in, from 1; None is one that memory or disk did not let begin."""
    return 1 if stored is None else stored.run.epoch + 1
