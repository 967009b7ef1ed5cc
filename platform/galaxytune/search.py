"""Running a study: Ray Tune drives, the ledger keeps account."""

import logging
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import Timeout

from galaxytune.interruption import draining
from galaxytune.ledger import Ledger
from galaxytune.progress import SearchProgress
from galaxytune.study_folder import StudyFolder, create_study
from galaxytune.study_observer import StudyObserver
from galaxytune.study_plan import StudyPlan, store_plan, with_absolute_files
from trainables.galaxies.damage import one_line
from trainables.galaxies.galaxy_file import fingerprint, open_galaxies
from trainables.galaxies.split import split_galaxies
from trainables.trial import run_trial

# A reused actor waits this long for the last trial's clean-up; Tune's own 2 s lose trials.
_ENVIRONMENT = {
    "TUNE_FUNCTION_THREAD_TIMEOUT_S": "120",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # galaxytune's own lets epochs end first
    # Tune's snapshots of all trials grow with their number, and nobody reads them
    "TUNE_GLOBAL_CHECKPOINT_S": "inf",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "MALLOC_ARENA_MAX": "1",  # trials run in threads, whose own arenas would keep no large tensor
}

_ANSWER_SECONDS = 5.0  # Ray itself tries an address at which nobody listens for 15 minutes
_SECONDS_FOR_LOCK = 1.0  # `status` holds the lock for an instant to see whether it is free


@dataclass(frozen=True)
class ClusterAddress:
    """Where to run: a running cluster's address, or a local Ray with so many CPUs and GPUs."""

    address: str | None = None
    local_cpus: int | None = None  # None: as many as there are
    local_gpus: int | None = None


def new_study(plan: StudyPlan, storage: Path) -> StudyFolder:
    """Check the data from end to end, split it, and make the study's folder."""
    plan = with_absolute_files(plan)
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


def check_address(where: ClusterAddress) -> None:
    """ValueError if nothing listens at HOST:PORT; other forms of address are Ray's to judge."""
    host, colon, port = (where.address or "").removeprefix("ray://").rpartition(":")
    if not colon or not port.isdecimal():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), _ANSWER_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise ValueError(f"no Ray cluster at {where.address!r}: {one_line(error)}") from None


@contextmanager
def ray_connection(where: ClusterAddress) -> Iterator[None]:
    """A connection to Ray; one that the caller has made is used and left open."""
    os.environ.update(_ENVIRONMENT)
    import ray  # noqa: TID251

    if ray.is_initialized():
        yield
        return
    if where.address is not None:
        check_address(where)
        try:
            ray.init(
                address=where.address,
                log_to_driver=False,
                logging_level=logging.ERROR,
                runtime_env={"env_vars": _ENVIRONMENT},
            )
        except ConnectionError as error:
            raise ValueError(f"no Ray cluster at {where.address!r}: {error}") from None
    else:
        ray.init(
            address="local",
            num_cpus=where.local_cpus,
            num_gpus=where.local_gpus,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    try:
        yield
    finally:
        ray.shutdown()


def trials_at_once(cpus_per_trial: float, gpus_per_trial: float) -> int:
    """How many trials the connected cluster can hold; ValueError if not even one."""
    import ray  # noqa: TID251

    total, largest = 0, (0.0, 0.0)
    for node in (n for n in ray.nodes() if n["Alive"]):
        cpus, gpus = node["Resources"].get("CPU", 0.0), node["Resources"].get("GPU", 0.0)
        largest = max(largest, (cpus, gpus))
        by_cpu = int(cpus / cpus_per_trial + 1e-9)
        if gpus_per_trial == 0:
            total += by_cpu
        elif gpus_per_trial <= 1:  # a trial's share lies on one GPU
            total += min(by_cpu, int(gpus) * int(1 / gpus_per_trial + 1e-9))
        else:
            total += min(by_cpu, int(gpus / gpus_per_trial))
    if total == 0:
        raise ValueError(
            f"no node can hold a trial of {cpus_per_trial:g} CPUs and {gpus_per_trial:g} GPUs; "
            f"the largest has {largest[0]:g} CPUs and {largest[1]:g} GPUs"
        )
    return total


def _own_id(trial: Any) -> str:
    """Tune's name and folder of a trial: the study's id of it."""
    return str(trial.config["task"].trial_id)


def _tune(ledger: Ledger, trainable: Callable[[dict[str, Any]], None]) -> None:
    import ray  # noqa: TID251
    from ray import tune  # noqa: TID251

    from galaxytune.pack_filling import PackFilling
    from galaxytune.packing import pack_sizes
    from galaxytune.scheduler import StudyScheduler
    from galaxytune.searcher import StudySearcher

    plan = ledger.plan
    at_once = trials_at_once(plan.cpus_per_trial, plan.gpus_per_trial)
    packs = PackFilling(ledger, pack_sizes(ledger), at_once)
    resources = {"cpu": plan.cpus_per_trial, "gpu": plan.gpus_per_trial}
    tuner = tune.Tuner(
        tune.with_resources(trainable, resources),
        tune_config=tune.TuneConfig(
            search_alg=StudySearcher(ledger, packs),
            scheduler=StudyScheduler(ledger),
            num_samples=ledger.num_left,
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
