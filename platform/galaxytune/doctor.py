"""The doctor: what would keep a search from running, found before it is started."""

import os
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from galaxytune import node_tasks
from galaxytune.cluster_checks import (
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
from galaxytune.cost_estimate import CostEstimate, estimate
from galaxytune.driver_checks import (
    data_check,
    package_check,
    package_names,
    study_check,
    wandb_check,
    weight_checks,
)
from galaxytune.health_check import Check, gibibytes
from galaxytune.plan_checks import check_networks
from galaxytune.ray_cluster import ClusterAddress, check_address, ray_connection
from galaxytune.study_plan import StudyPlan
from galaxytune.terminal import print_json, say, show_table
from galaxytune.training_checks import (
    Measured,
    memory_check,
    probe_on_cluster,
    probe_request,
    probed_configs,
    training_check,
)
from trainables.galaxies.damage import one_line
from trainables.galaxies.galaxy_file import open_galaxies
from trainables.galaxies.split import split_galaxies

_COLOURS = {"ok": "green", "warning": "yellow", "failed": "red", "skipped": "dim"}


@dataclass(frozen=True)
class Diagnosis:
    """All checks in their order, and what the plan will cost if that could be measured."""

    checks: list[Check]
    estimate: CostEstimate | None = None

    @property
    def failed(self) -> list[Check]:
        """The checks that failed."""
        return [check for check in self.checks if check.status == "failed"]

    def as_json(self) -> dict[str, Any]:
        """{"healthy", "checks": [{"name", "status", "found", "remedy"}], "estimate"}."""
        cost = None if self.estimate is None else asdict(self.estimate)
        checks = [asdict(check) for check in self.checks]
        return {"healthy": not self.failed, "checks": checks, "estimate": cost}


def run_doctor(
    plan: StudyPlan | None, storage: Path, where: ClusterAddress, *, data: Path | None = None
) -> Diagnosis:
    """Look at everything that a search of `plan` needs, or any search where there is no plan.

    Nothing is left behind. `data` counts only without a plan, which names its own.
    """
    storage = storage.resolve()
    data = Path(plan.data).resolve() if plan is not None else data and data.resolve()
    checks = [package_check()]
    if plan is not None:
        checks.append(study_check(plan, storage))
    checks.append(data_check(data))
    if checks[-1].status == "failed":
        data = None
    checks.append(wandb_check(_wandb_mode(plan), storage))
    checks += weight_checks(plan)
    with ExitStack() as stack:
        try:
            check_address(where)
            stack.enter_context(ray_connection(where))
        except ValueError as error:
            remedy = "`ray start --head` there, or leave --address out for a Ray of your own"
            return Diagnosis([*checks, Check("Ray", "failed", one_line(error), remedy)])
        checks.append(ray_check())
        checks += _node_checks(plan, storage, data)
        training, cost = _training_checks(plan, storage, data)
        return Diagnosis([*checks, *training], cost)


def _wandb_mode(plan: StudyPlan | None) -> Any:
    if plan is not None:
        return plan.wandb
    from galaxytune.plan_options import default_wandb_mode

    return default_wandb_mode()


def _shares(plan: StudyPlan | None) -> tuple[float, float]:
    return (1.0, 0.0) if plan is None else (plan.cpus_per_trial, plan.gpus_per_trial)


def _node_checks(plan: StudyPlan | None, storage: Path, data: Path | None) -> Iterator[Check]:
    token = uuid.uuid4().hex
    say("doctor: asking every node")
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
    plan: StudyPlan | None, storage: Path, data: Path | None
) -> tuple[list[Check], CostEstimate | None]:
    """One batch of each network; with a plan also whether its trials fit, and the estimate."""
    at_once = resources_check(*_shares(plan))[1]
    if not at_once:
        reason = "no node can hold a trial"
        return [Check("training", "skipped", reason, "see resources")], None
    checks: list[Check] = []
    measured: dict[str, Measured] = {}
    for config in probed_configs(plan):
        say(f"doctor: training {config.architecture} for a few steps")
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
    except ValueError as error:
        return [*checks, Check("split", "failed", str(error), "change num_galaxies")], None
    cost = estimate(plan, measured, {part: len(rows) for part, rows in parts.items()}, at_once)
    return [*checks, disk_check(storage, cost)], cost


def disk_check(storage: Path, cost: CostEstimate) -> Check:
    """Whether the estimated checkpoints fit on the storage's disk."""
    place = next(path for path in (storage, *storage.parents) if path.exists())
    found_on_disk = os.statvfs(place)
    free = found_on_disk.f_bavail * found_on_disk.f_frsize
    found = f"an estimated {gibibytes(cost.disk_bytes)} of checkpoints, {gibibytes(free)} free"
    if cost.disk_bytes > free:
        remedy = "make room, or lower keep_checkpoints or checkpoint_quota_gb in the plan"
        return Check("disk", "failed", found, remedy)
    return Check("disk", "ok", found)


def checks_table(checks: list[Check]) -> Table:
    """The checks, the remedies below what was found."""
    table = Table(title="Doctor", title_justify="left")
    for column in ("check", "status", "found"):
        table.add_column(column, overflow="fold")
    for check in checks:
        remedy = f"\n-> {check.remedy}" if check.remedy and check.status != "ok" else ""
        colour = _COLOURS[check.status]
        table.add_row(check.name, f"[{colour}]{check.status}[/]", escape(check.found + remedy))
    return table


def doctor_and_report(
    plan: StudyPlan | None,
    storage: Path,
    where: ClusterAddress,
    *,
    data: Path | None = None,
    as_json: bool = False,
) -> None:
    """Print all checks and the estimate; RuntimeError, in one line, if a check failed.

    ValueError if the plan's networks cannot be had at all.
    """
    if plan is not None:
        check_networks(plan)
    diagnosis = run_doctor(plan, storage, where, data=data)
    if as_json:
        print_json(diagnosis.as_json())
    else:
        show_table(checks_table(diagnosis.checks))
        for line in diagnosis.estimate.lines() if diagnosis.estimate else []:
            say(line)
    if diagnosis.failed:
        names = ", ".join(check.name for check in diagnosis.failed)
        raise RuntimeError(f"{len(diagnosis.failed)} check(s) failed: {names}")
