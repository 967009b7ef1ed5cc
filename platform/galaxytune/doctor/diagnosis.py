"""The doctor: it finds what would stop a search from running, before the search starts."""

import os
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from analysis.records import JsonDocument
from galaxytune.cluster import (
    ClusterAddress,
    check_address,
    node_tasks,
    probe_on_cluster,
    probe_request,
    ray_connection,
)
from galaxytune.doctor.cluster_checks import (
    alive_nodes,
    ask_nodes,
    data_on_nodes_check,
    gpu_check,
    probe_folder,
    ray_check,
    resources_check,
    storage_check,
    versions_check,
)
from galaxytune.doctor.cost_estimate import CostEstimate, estimate
from galaxytune.doctor.driver_checks import (
    data_check,
    package_check,
    package_names,
    study_check,
    wandb_check,
    weight_checks,
)
from galaxytune.doctor.health_check import Check, gibibytes
from galaxytune.doctor.training_checks import (
    Measured,
    memory_check,
    probed_configs,
    training_check,
)
from galaxytune.plan import StudyPlan
from galaxytune.tracking import default_wandb_mode
from search_spaces.declaration import InvalidInput
from trainables.files import one_line
from trainables.galaxies import open_galaxies, split_galaxies


class Diagnosis(JsonDocument):
    """A result of the doctor: the checks and the estimated cost."""

    healthy: bool
    """True if no check has failed."""
    checks: tuple[Check, ...]
    """All checks, in the order in which they were made."""
    estimate: CostEstimate | None = None
    """The estimated cost; null without a plan, or if a failed check prevents the measurement."""

    @property
    def failed(self) -> list[Check]:
        """The checks that have failed."""
        return [check for check in self.checks if check.status == "failed"]


def _diagnosis(checks: Sequence[Check], cost: CostEstimate | None = None) -> Diagnosis:
    """Return the diagnosis of these checks; `cost` is the estimated cost, None for no estimate."""
    healthy = all(check.status != "failed" for check in checks)
    return Diagnosis(healthy=healthy, checks=tuple(checks), estimate=cost)


def run_doctor(
    plan: StudyPlan | None,
    storage: Path,
    where: ClusterAddress,
    *,
    data: Path | None = None,
    on_step: Callable[[str], None] = lambda sentence: None,
) -> Diagnosis:
    """Return the diagnosis of everything that a search of `plan` needs.

    plan: None checks what any search needs. storage: the folder of the studies, which need not
    exist. where: the Ray cluster, or a local Ray that is started and ended. data: a galaxy file to
    check, used only without a plan. on_step: is called with a phrase before each long step.

    Each network is trained for a few steps. The doctor removes every file that it writes in
    `storage`. Pretrained weights that are missing are downloaded and stay in the cache of their
    library; unpacked images of a compressed galaxy file stay in the cache of `cache_folder`. A
    cluster that cannot be reached raises no error: it is a failed check, and the last check.
    """
    storage = storage.resolve()
    data = Path(plan.data).resolve() if plan is not None else data and data.resolve()
    checks = [package_check()]
    if plan is not None:
        checks.append(study_check(plan, storage))
    checks.append(data_check(data))
    if checks[-1].status == "failed":
        data = None
    checks.append(_wandb_check(plan, storage))
    checks += weight_checks(plan)
    with ExitStack() as stack:
        try:
            check_address(where)
            stack.enter_context(ray_connection(where))
        except InvalidInput as error:
            remedy = "run `ray start --head` on that machine, or omit --address for a local Ray"
            return _diagnosis([*checks, Check("Ray", "failed", one_line(error), remedy)])
        checks.append(ray_check())
        on_step("asking every node")
        checks += _node_checks(plan, storage, data)
        training, cost = _training_checks(plan, storage, data, on_step)
        return _diagnosis([*checks, *training], cost)


def _wandb_check(plan: StudyPlan | None, storage: Path) -> Check:
    """Return the check of W&B in the plan's mode, or without a plan in the default mode."""
    try:
        mode = default_wandb_mode() if plan is None else plan.wandb
    except InvalidInput as error:
        return Check("W&B", "failed", one_line(error), "correct it, or give --wandb")
    return wandb_check(mode, storage)


def _shares(plan: StudyPlan | None) -> tuple[float, float]:
    """Return the CPUs and GPUs of one trial; without a plan one CPU and no GPU."""
    return (1.0, 0.0) if plan is None else (plan.cpus_per_trial, plan.gpus_per_trial)


def _node_checks(plan: StudyPlan | None, storage: Path, data: Path | None) -> Iterator[Check]:
    """Yield the checks of all nodes: versions, storage, data, resources and GPUs.

    plan: None for trials with one CPU and no GPU. storage: the folder of the studies. data: the
    data file; None for no check of the data. If `storage` cannot be written, the only check is a
    failed check of the storage. The process must be connected to Ray.
    """
    token = uuid.uuid4().hex
    try:
        with probe_folder(storage) as folder:
            error = node_tasks.write_probe(folder, node_tasks.DRIVERS_PROBE, token)
            if error:
                raise OSError(error)
            reports = ask_nodes(folder, token, data)
            stored = storage_check(storage, folder, token, reports)
    except OSError as error:
        found = f"{storage} cannot be written: {error.strerror or error}"
        yield Check("storage", "failed", found, "name a folder of your own: --storage DIR")
        return
    yield versions_check(node_tasks.versions(package_names()), reports)
    yield stored
    if data is not None:
        yield data_on_nodes_check(data, reports)
    yield resources_check(*_shares(plan))[0]
    yield gpu_check(_shares(plan)[1], reports)


def _training_checks(
    plan: StudyPlan | None, storage: Path, data: Path | None, on_step: Callable[[str], None]
) -> tuple[list[Check], CostEstimate | None]:
    """Train each network for a few steps; return the checks, and the estimated cost.

    plan: None for all architectures that are not members of a family, at a small size. data: the
    data file, None for simulated galaxies. on_step: is called with a phrase before each network.
    If no node can hold a trial, the only check is a skipped check of the training. With a plan and
    data, and if every network could be measured, further checks tell whether the trials fit into
    memory and on the disk of `storage`, or that the galaxies cannot be split.

    The cost is None without a plan, without data, if no node can hold a trial, if a network could
    not be measured, or if the galaxies cannot be split.
    """
    at_once = resources_check(*_shares(plan))[1]
    if not at_once:
        reason = "no node can hold a trial"
        return [Check("training", "skipped", reason, "see resources")], None
    checks: list[Check] = []
    measured: dict[str, Measured] = {}
    for config in probed_configs(plan):
        on_step(f"training {config.architecture} for a few steps")
        answer = probe_on_cluster(probe_request(config, plan, data), plan)
        check, found = training_check(config, answer)
        checks.append(check)
        if found is not None:
            measured[config.architecture] = found
    if plan is None or data is None or len(measured) < len(plan.architectures):
        return checks, None
    memory = sum(node["Resources"].get("memory", 0.0) for node in alive_nodes().values())
    checks.append(memory_check(plan, measured, at_once, memory))
    try:
        parts = split_galaxies(open_galaxies(data), plan.split, plan.num_galaxies).parts()
    except InvalidInput as error:
        return [*checks, Check("split", "failed", str(error), "change num_galaxies")], None
    cost = estimate(plan, measured, {part: len(rows) for part, rows in parts.items()}, at_once)
    return [*checks, disk_check(storage, cost)], cost


def disk_check(storage: Path, cost: CostEstimate) -> Check:
    """Return the check that the estimated checkpoints fit on the disk of `storage`.

    storage: the folder of the studies, which need not exist; the disk is then that of the nearest
    folder above. cost: gives the bytes of the checkpoints. The check fails if the checkpoints need
    more than the free space.
    """
    place = next(path for path in (storage, *storage.parents) if path.exists())
    found_on_disk = os.statvfs(place)
    free = found_on_disk.f_bavail * found_on_disk.f_frsize
    found = f"an estimated {gibibytes(cost.disk_bytes)} of checkpoints, {gibibytes(free)} free"
    if cost.disk_bytes > free:
        remedy = "make room, or lower keep_checkpoints or checkpoint_quota_gb in the plan"
        return Check("disk", "failed", found, remedy)
    return Check("disk", "ok", found)
