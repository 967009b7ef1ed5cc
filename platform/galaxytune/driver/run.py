"""The run of a study: Ray Tune runs the trials, and the ledger records what happens to them."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from filelock import Timeout

from galaxytune.cluster import ClusterAddress, ray_connection, trials_at_once
from galaxytune.driver.interruption import draining
from galaxytune.driver.ledger import Ledger
from galaxytune.study import StudyFolder
from galaxytune.tracking import StudyObserver
from search_spaces.declaration import InvalidInput, StudyInterrupted, WorkFailed
from trainables.files import one_line, writing_to_a_given_place
from trainables.trial import run_trial

_SECONDS_FOR_LOCK = 1.0  # `status` shares the lock for a moment to test whether it is free

Trainable = Callable[[dict[str, Any]], None]


def run_study(
    folder: StudyFolder,
    where: ClusterAddress | None = None,
    *,
    observers: Sequence[StudyObserver] = (),
    trainable: Trainable = run_trial,
) -> None:
    """Run the trials of a study that have not ended; return when all have ended.

    The function also returns when a budget has ended the study, and at once if no trial is left.
    While it runs, it holds the study's lock and writes all results to the study's folder.

    where: the Ray cluster; None for a local Ray with all CPUs and GPUs. observers: are called at
    each event. trainable: the function that a worker runs for each trial or pack; a replacement
    must report as `run_trial` does.

    InvalidInput is raised if another driver runs the study, if a file of the study is damaged, if
    this user may not write to the study's folder, if the cluster does not answer, or if no node
    can hold one trial. StudyInterrupted is raised if a signal has stopped the study with trials
    left, and KeyboardInterrupt at a second signal. WorkFailed is raised if trials are left for
    another reason, such as an error of Ray Tune, or if the disk refuses while trials run; OSError
    is raised if the disk refuses before the first trial starts. After each of these errors the
    ended trials are kept, and a resume can go on.
    """
    folder.check_can_write()
    lock = folder.lock()
    try:
        with writing_to_a_given_place():
            lock.acquire(timeout=_SECONDS_FOR_LOCK)
    except Timeout:
        raise InvalidInput(f"study {folder.name!r} is being run by another process") from None
    try:
        _run_locked(folder, where or ClusterAddress(), observers, trainable)
    finally:
        lock.release()


def _run_locked(
    folder: StudyFolder,
    where: ClusterAddress,
    observers: Sequence[StudyObserver],
    trainable: Trainable,
) -> None:
    """Run a study whose lock this process holds; see `run_study` for arguments and errors."""
    with _mirrored(folder) as mirrors:
        ledger = Ledger(folder, [*observers, *mirrors])
        if ledger.num_left:
            with ray_connection(where), draining(ledger.interrupt):
                _tune(ledger, trainable)
            with ledger.writing():
                ledger.close()
    _raise_if_trials_are_left(ledger)


@contextlib.contextmanager
def _mirrored(folder: StudyFolder) -> Iterator[list[StudyObserver]]:
    """Yield a list with the W&B mirror, and close the mirror at the end; [] if W&B is disabled."""
    if folder.plan.wandb == "disabled":
        yield []
        return
    from galaxytune.tracking import WandbMirror  # imported only if it is used

    mirror = WandbMirror(folder)
    try:
        yield [mirror]
    finally:
        mirror.close()


def _raise_if_trials_are_left(ledger: Ledger) -> None:
    """Raise the error that tells why a run did not finish; return if the run did finish.

    WorkFailed is raised if the folder could not be written. StudyInterrupted is raised if trials
    are left because a signal stopped the study, WorkFailed if trials are left for another reason.
    """
    name = ledger.folder.name
    if ledger.broken is not None:
        raise WorkFailed(
            f"the study cannot be written: {ledger.broken}; all earlier results are safe; solve "
            f"this problem, then run `galaxytune resume {name}`"
        )
    if ledger.num_left and ledger.ending is not None:
        raise StudyInterrupted(
            f"study {name!r} was stopped by {ledger.ending} with {ledger.num_left} trials left; "
            f"`galaxytune resume {name}` goes on"
        )
    if ledger.num_left:
        raise WorkFailed(
            f"{ledger.num_left} trials did not end; `galaxytune resume {name}` runs them"
        )


def _own_id(trial: Any) -> str:
    """Return the study's id of a trial of Ray Tune; for a pack, the id of the first trial.

    trial: a `ray.tune.experiment.Trial`. Tune uses the id as the trial's name and as the name of
    its folder.
    """
    return str(trial.config["task"].trial_id)


def _tune(ledger: Ledger, trainable: Trainable) -> None:
    """Run the study's trials in Ray Tune until none is left or the study is ending.

    InvalidInput is raised if no node can hold a trial, WorkFailed if Tune itself fails, OSError if
    packing.json cannot be written. If the study's folder cannot be written while trials run,
    nothing is raised; the ledger's `broken` then holds the reason.
    """
    import ray  # noqa: TID251
    from ray import tune  # noqa: TID251

    from galaxytune.driver.packing import pack_sizes
    from galaxytune.driver.promotion import Promotion
    from galaxytune.driver.trial_queue import TrialQueue
    from galaxytune.driver.tune_scheduler import StudyScheduler
    from galaxytune.driver.tune_searcher import StudySearcher
    from galaxytune.driver.tune_silence import SilentCallback, SilentReporter

    plan = ledger.plan
    at_once = trials_at_once(plan.cpus_per_trial, plan.gpus_per_trial)
    promotion = Promotion(ledger)
    queue = TrialQueue(ledger, promotion, pack_sizes(ledger), at_once)
    resources = {"cpu": plan.cpus_per_trial, "gpu": plan.gpus_per_trial}
    tuner = tune.Tuner(
        tune.with_resources(trainable, resources),
        tune_config=tune.TuneConfig(
            search_alg=StudySearcher(ledger, queue),
            scheduler=StudyScheduler(ledger, promotion),
            num_samples=-1,  # no limit, because Tune counts a trial again after each pause
            max_concurrent_trials=min(at_once, ledger.num_left),
            reuse_actors=True,
            trial_name_creator=_own_id,
            trial_dirname_creator=_own_id,
        ),
        run_config=tune.RunConfig(
            name="tune",
            storage_path=str(ledger.folder.ray),
            verbose=0,
            progress_reporter=SilentReporter(),
            callbacks=[SilentCallback()],
            failure_config=tune.FailureConfig(max_failures=plan.max_retries),
        ),
    )
    try:
        tuner.fit()
    except (tune.TuneError, ray.exceptions.RayError, OSError) as error:
        if ledger.broken is None:
            raise WorkFailed(f"Ray Tune stopped with an error: {one_line(error)}") from error
