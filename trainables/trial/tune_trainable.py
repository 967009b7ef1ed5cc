"""One trial, or one pack, as Ray Tune runs it: a function around a plain training run.

The `TrialTask` holds everything that a trial needs; the only shared state is the folder of its
checkpoints. A trial that is started again continues after its last checkpoint, and first reports
the earlier epochs that the study lacks. So a driver that lost the last messages receives all of
them. An epoch may be reported twice; the driver keeps the first report.
"""

import functools
from pathlib import Path
from typing import Any

import torch
from ray import tune  # noqa: TID251  the only module of trainables that uses Ray

from search_spaces.declaration import WorkFailed
from trainables.files import DISK_REFUSES
from trainables.galaxies import Galaxies, Split, load_split, open_galaxies
from trainables.trial.pack import run_pack
from trainables.trial.stored_run import StoredRun
from trainables.trial.task import PackTask, TrialTask


@functools.lru_cache(maxsize=2)
def _galaxies(data: str, split: str) -> tuple[Galaxies, Split]:
    """Return the galaxies of a galaxy file and the split of a split file.

    data, split: the paths of the files. A process keeps the last two pairs of files open, so that
    they are ready for the next trial of a reused worker. A wrong galaxy file raises InvalidInput,
    a wrong split file numpy's own error.
    """
    return open_galaxies(Path(data)), load_split(Path(split))


def run_trial(parameters: dict[str, Any]) -> None:
    """Train the task under `parameters["task"]`, a trial or a pack, and report each epoch to Tune.

    parameters: holds a TrialTask or a PackTask; other keys are not read. A trial that has a
    checkpoint continues after it, and first reports the epochs that the study may lack. A report
    of a trial alone is the mapping of `EpochReport.as_values`; the results of a pack are those of
    `run_pack`.

    The last report of a complete run holds `finished`, the reason why the training ended. A run
    that diverges, or for which memory does not hold even one galaxy, reports `failure` with the
    reason and returns; no report of an epoch holds a NaN. A run that cannot write its checkpoints
    or cached features, because the disk is full, is broken or does not allow writing, reports
    `storage_failure`; the driver then stops the study, not only the trial. Any other error is
    raised.

    The number of torch's threads is set for the process, and unused memory of the GPU is freed at
    the end.
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
    """Train one trial, store each epoch, and report to Tune as `run_trial` describes."""
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
    except WorkFailed as error:
        tune.report({"epoch": _next_epoch(stored), "failure": str(error)})
    except OSError as error:
        if error.errno not in DISK_REFUSES:
            raise
        told = f"{error.strerror} ({error.filename})"
        tune.report({"epoch": _next_epoch(stored), "storage_failure": told})


def _next_epoch(stored: StoredRun | None) -> int:
    """Return the number of epochs that a run has trained, plus 1.

    The number is that of the epoch in which training failed. If a trained epoch could not be
    stored, the number is that of the epoch after it. stored: the run, or None if memory or disk
    failed before the run was built; the result is then 1.
    """
    return 1 if stored is None else stored.run.epoch + 1
