"""One trial as Ray Tune runs it: a function trainable around a plain training run.

Everything that a trial needs stands in its `TrialTask`; the only shared state is the folder of
its checkpoints. A trial that is started again goes on after its last checkpoint and reports the
epochs before it once more, so that a driver which lost the last messages has them all; whoever
keeps the curves takes each epoch once.
"""

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from ray import tune  # noqa: TID251  the one place where a trial meets Ray

from search_spaces import config_from_values
from trainables.checkpoint import BEST, load_state, save_best, save_frozen, save_state
from trainables.files import DISK_REFUSES
from trainables.galaxies.galaxy_file import Galaxies, open_galaxies
from trainables.galaxies.split import Split, load_split
from trainables.micro_batch import OutOfMemory
from trainables.training import Diverged, TrainingRun, training_device


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


@functools.lru_cache(maxsize=2)
def _galaxies(data: str, split: str) -> tuple[Galaxies, Split]:
    """Map a file once a process; a reused actor finds it ready for its next trial."""
    return open_galaxies(Path(data)), load_split(Path(split))


def run_trial(parameters: dict[str, Any]) -> None:
    """Train the task under `parameters["task"]`, reporting each epoch to Tune.

    A run that diverges, or finds no room for even one galaxy, reports `failure` with the reason
    as its last message and returns; its numbers never hold a NaN. One that cannot write its
    checkpoints or cached features reports `storage_failure`: then the study is to stop, not this
    trial alone. `finished` in the last report of a whole run says why it ended.
    """
    task: TrialTask = parameters["task"]
    torch.set_num_threads(task.num_threads)
    galaxies, split = _galaxies(task.data, task.split)
    folder = Path(task.checkpoints)
    run: TrainingRun | None = None
    try:
        device = training_device(task.uses_gpu)
        run = TrainingRun(config_from_values(task.config), galaxies, split, device)
        frozen = save_frozen(folder.parent, run.frozen_weights())
        _resume(run, folder, frozen)
        _train(run, folder, frozen)
    except (Diverged, OutOfMemory) as error:
        tune.report({"epoch": _next_epoch(run), "failure": str(error)})
    except OSError as error:
        if error.errno not in DISK_REFUSES:
            raise
        told = f"{error.strerror} ({error.filename})"
        tune.report({"epoch": _next_epoch(run), "storage_failure": told})
    finally:
        del run
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def _next_epoch(run: TrainingRun | None) -> int:
    """The epoch that a run was in, from 1; None is one that memory or disk did not let begin."""
    return 1 if run is None else run.epoch + 1


def _resume(run: TrainingRun, folder: Path, frozen: str | None) -> None:
    state = load_state(folder, run.device)
    if state is None:
        (folder / BEST).unlink(missing_ok=True)  # of an epoch that was never reported
        return
    run.load_state(state)
    save_best(folder, run.best_weights, frozen)  # a crash may have left a later epoch's
    for report in run.reports[:-1]:
        tune.report(report)
    _report(run)


def _train(run: TrainingRun, folder: Path, frozen: str | None) -> None:
    while run.finished is None:
        run.run_epoch()
        if run.best_epoch == run.epoch:
            save_best(folder, run.best_weights, frozen)
        save_state(folder, run.state())
        _report(run)


def _report(run: TrainingRun) -> None:
    extra = {} if run.finished is None else {"finished": run.finished}
    tune.report({**run.reports[-1], **extra})
