"""Running a study: Ray Tune drives, the ledger keeps account."""

import os
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from filelock import Timeout

from galaxytune.interruption import draining
from galaxytune.ledger import Ledger
from galaxytune.plan_checks import check_networks
from galaxytune.progress import SearchProgress
from galaxytune.ray_cluster import ClusterAddress, ray_connection, trials_at_once
from galaxytune.study_folder import StudyFolder, create_study
from galaxytune.study_observer import StudyObserver
from galaxytune.study_plan import StudyPlan, store_plan, with_absolute_files
from trainables.galaxies.damage import one_line
from trainables.galaxies.galaxy_file import fingerprint, open_galaxies
from trainables.galaxies.split import split_galaxies
from trainables.trial import run_trial

_SECONDS_FOR_LOCK = 1.0  # `status` holds the lock for an instant to see whether it is free


def new_study(plan: StudyPlan, storage: Path) -> StudyFolder:
    """Check networks and data from end to end, split the data, and make the study's folder."""
    plan = with_absolute_files(plan)
    check_networks(plan)
    data = Path(plan.data)
    galaxies = open_galaxies(data)
    split = split_galaxies(galaxies, plan.split, plan.num_galaxies)
    stored = store_plan(
        plan,
        data_fingerprint=fingerprint(data),
        num_galaxies_by_part={part: len(rows) for part, rows in split.parts().items()},
    )
    return create_study(storage, stored, galaxies, split)


def check_data_unchanged(folder: StudyFolder) -> None:
    """ValueError if the study's data file is not the one that the study began with."""
    plan = folder.plan
    if fingerprint(Path(plan.data)) != plan.provenance.data_fingerprint:
        raise ValueError(
            f"{plan.data} is not the file that study {plan.name!r} began with; "
            "put that file back, or start a new study"
        )


def run_study(
    folder: StudyFolder,
    where: ClusterAddress | None = None,
    *,
    trainable: Callable[[dict[str, Any]], None] = run_trial,
) -> None:
    """Run all trials of a study that have not ended; returns when the last one has.

    ValueError if another driver holds the study, or if no node can ever hold one trial.
    RuntimeError if trials are left, KeyboardInterrupt if that was asked for; both can be
    resumed. Another `trainable` stands in for the training itself and reports as it does.
    """
    try:
        with folder.lock().acquire(timeout=_SECONDS_FOR_LOCK):
            _run_locked(folder, where or ClusterAddress(), trainable)
    except Timeout:
        raise ValueError(f"study {folder.name!r} is being run by another process") from None


def _run_locked(
    folder: StudyFolder, where: ClusterAddress, trainable: Callable[[dict[str, Any]], None]
) -> None:
    ledger = Ledger(folder)
    observers: list[StudyObserver] = [
        SearchProgress(ledger.plan.trials, ledger.plan.longest_epochs, ledger.records)
    ]
    mirror = None
    if ledger.plan.wandb != "disabled":
        from galaxytune.tracking import WandbMirror

        mirror = WandbMirror(ledger)
        observers.append(mirror)
    ledger.observers = tuple(observers)
    try:
        if ledger.num_left:
            with ray_connection(where), draining(ledger.interrupt):
                _tune(ledger, trainable)
            with ledger.writing():
                ledger.close()
    finally:
        if mirror is not None:
            mirror.close()
    if ledger.broken is not None:
        raise RuntimeError(
            f"the study cannot be written: {ledger.broken}; what was there is whole, mend that "
            f"and `galaxytune resume {folder.name}` goes on"
        )
    if ledger.num_left and ledger.ending is not None:
        raise KeyboardInterrupt
    if ledger.num_left:
        raise RuntimeError(
            f"{ledger.num_left} trials did not end; `galaxytune resume {folder.name}` runs them"
        )


def _own_id(trial: Any) -> str:
    """Tune's name and folder of a trial: the study's id of it."""
    return str(trial.config["task"].trial_id)


def _tune(ledger: Ledger, trainable: Callable[[dict[str, Any]], None]) -> None:
    import ray  # noqa: TID251
    from ray import tune  # noqa: TID251

    from galaxytune.packing import pack_sizes
    from galaxytune.promotion import Promotion
    from galaxytune.scheduler import StudyScheduler
    from galaxytune.searcher import StudySearcher
    from galaxytune.trial_queue import TrialQueue

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
            num_samples=-1,  # a trial that pauses and goes on is to Tune another one
            max_concurrent_trials=min(at_once, ledger.num_left),
            reuse_actors=True,
            trial_name_creator=_own_id,
            trial_dirname_creator=_own_id,
        ),
        run_config=tune.RunConfig(
            name="tune",
            storage_path=str(ledger.folder.ray),
            verbose=0,
            failure_config=tune.FailureConfig(max_failures=plan.max_retries),
        ),
    )
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):
        try:
            tuner.fit()
        except (tune.TuneError, ray.exceptions.RayError, OSError) as error:
            if ledger.broken is None:
                raise RuntimeError(f"Ray Tune gave up: {one_line(error)}") from error
