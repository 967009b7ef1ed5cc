"""What the doctor asks of every node of the connected Ray cluster, and what it makes of it."""

import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from galaxytune import node_tasks
from galaxytune.driver_checks import package_names, unsupported
from galaxytune.health_check import Check, gibibytes
from galaxytune.ray_cluster import trials_at_once
from trainables.galaxies.damage import one_line

_ANSWER_SECONDS = 90.0  # a worker process on a busy disk takes half a minute to start
_LITTLE_SPACE = 2**30
_LONGEST_LIST = 6
_SHARED_DISK = "put --storage and --data on a disk that all nodes share under one path (NFS, ...)"


@dataclass(frozen=True)
class NodeReport:
    """What one node answered; see node_tasks.report_on_node."""

    name: str
    node_id: str  # Ray's; the name of the node's probe file
    num_gpus: float  # that Ray counts there
    versions: dict[str, str | None] = field(default_factory=dict)
    sees_driver: bool = True
    write_error: str = ""
    free_bytes: int = 0
    data_bytes: int | str | None = None
    gpus: list[str] | str = field(default_factory=list)
    silent: str = ""  # why there is no answer; all else is empty then


@contextmanager
def probe_folder(storage: Path) -> Iterator[Path]:
    """A folder in storage for a moment; whatever had to be made for it goes with it."""
    made = [path for path in (storage, *storage.parents) if not path.exists()]
    folder = storage / f".doctor-{uuid.uuid4().hex[:12]}"
    try:
        folder.mkdir(parents=True)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        for path in made:
            with suppress(OSError):
                path.rmdir()


def alive_nodes() -> dict[str, dict[str, Any]]:
    """Ray's nodes under names that tell them apart."""
    import ray  # noqa: TID251

    nodes = [node for node in ray.nodes() if node["Alive"]]
    return {f"{n['NodeManagerHostname']} ({n['NodeID'][:6]})": n for n in nodes}


@contextmanager
def tasks_sent_whole() -> Iterator[None]:
    """While this lasts, Ray sends the functions of node_tasks themselves, not their names."""
    import ray  # noqa: TID251

    ray.cloudpickle.register_pickle_by_value(node_tasks)
    try:
        yield
    finally:
        ray.cloudpickle.unregister_pickle_by_value(node_tasks)


def ask_nodes(folder: Path, token: str, data: Path | None) -> list[NodeReport]:
    """Every node's report, by a small task that is bound to it and waits for no free CPU."""
    import ray  # noqa: TID251
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy  # noqa: TID251

    request = {
        "packages": package_names(),
        "probe_folder": str(folder),
        "token": token,
        "data": None if data is None else str(data),
    }
    nodes, asked = alive_nodes(), {}
    with tasks_sent_whole():
        task = ray.remote(num_cpus=0, max_retries=0)(node_tasks.report_on_node)
        for name, node in nodes.items():
            own = {"probe_name": node["NodeID"], "wants_gpus": _num_gpus(node) > 0}
            bound = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            asked[task.options(scheduling_strategy=bound).remote({**request, **own})] = name
    done, _ = ray.wait(list(asked), num_returns=len(asked), timeout=_ANSWER_SECONDS)
    reports = []
    for answer, name in asked.items():
        own_id, num_gpus = nodes[name]["NodeID"], _num_gpus(nodes[name])
        if answer not in done:
            silent = f"no answer within {_ANSWER_SECONDS:.0f} s"
            reports.append(NodeReport(name, own_id, num_gpus, silent=silent))
            continue
        try:
            reports.append(NodeReport(name, own_id, num_gpus, **ray.get(answer)))
        except ray.exceptions.RayError as error:
            reports.append(NodeReport(name, own_id, num_gpus, silent=one_line(error)[:200]))
    return reports


def _num_gpus(node: Mapping[str, Any]) -> float:
    return float(node["Resources"].get("GPU", 0.0))


def _listed(found: Sequence[str]) -> str:
    more = len(found) - _LONGEST_LIST
    return "; ".join(found[:_LONGEST_LIST]) + (f"; and {more} more" if more > 0 else "")


def ray_check() -> Check:
    """The nodes and what they have in all."""
    nodes = alive_nodes().values()
    cpus = sum(node["Resources"].get("CPU", 0.0) for node in nodes)
    gpus = sum(map(_num_gpus, nodes))
    return Check("Ray", "ok", f"{len(nodes)} node(s), {cpus:g} CPUs, {gpus:g} GPUs")


def versions_check(driver: Mapping[str, str | None], reports: Sequence[NodeReport]) -> Check:
    """Whether every node answers and has the driver's packages.

    A package that a node lacks, or has outside its range, is a failure; else a difference warns.
    """
    failures = [f"{r.name}: {r.silent}" for r in reports if r.silent]
    differences = []
    for report in (r for r in reports if not r.silent):
        failures += [f"{report.name}: {text}" for text in unsupported(report.versions)]
        differences += [
            f"{report.name} has {package} {report.versions.get(package)}, the driver {version}"
            for package, version in driver.items()
            if report.versions.get(package) != version
        ]
    remedy = "install the same requirements.lock on every node"
    if failures:
        return Check("nodes alike", "failed", _listed(failures), remedy)
    if differences:
        return Check("nodes alike", "warning", _listed(differences), remedy)
    count = f"Python and {len(driver) - 1} packages"
    return Check("nodes alike", "ok", f"{count} are the driver's on {len(reports)} node(s)")


def storage_check(storage: Path, folder: Path, token: str, reports: Sequence[NodeReport]) -> Check:
    """Whether driver and nodes write, move and read files in storage, and see each other's."""
    problems = []
    for report in (r for r in reports if not r.silent):
        if not report.sees_driver:
            problems.append(f"{report.name} does not see what the driver writes there")
        elif report.write_error:
            problems.append(f"{report.name} cannot write there: {report.write_error}")
        elif not node_tasks.reads(folder / report.node_id, token):
            problems.append(f"the driver does not see what {report.name} writes there")
    if problems:
        return Check("storage", "failed", f"{storage}: {_listed(problems)}", _SHARED_DISK)
    free = shutil.disk_usage(folder).free
    writers = f"driver and {len(reports)} node(s) write and see it"
    found = f"{storage}: {writers}, {gibibytes(free)} free"
    if free < _LITTLE_SPACE:
        return Check("storage", "warning", found, "make room, or name another --storage")
    return Check("storage", "ok", found)


def data_on_nodes_check(data: Path, reports: Sequence[NodeReport]) -> Check:
    """Whether every node can read the data file and finds it as large as the driver does."""
    size = data.stat().st_size
    problems = []
    for report in (r for r in reports if not r.silent):
        if isinstance(report.data_bytes, str):
            problems.append(f"{report.name} cannot read it: {report.data_bytes}")
        elif report.data_bytes != size:
            problems.append(f"{report.name} finds {report.data_bytes:,} bytes, not {size:,}")
    if problems:
        return Check("data on nodes", "failed", f"{data}: {_listed(problems)}", _SHARED_DISK)
    return Check("data on nodes", "ok", f"{len(reports)} node(s) find the same {size:,} bytes")


def resources_check(cpus_per_trial: float, gpus_per_trial: float) -> tuple[Check, int]:
    """Whether some node can hold one trial, and how many the cluster runs at once (0 if none)."""
    share = f"{cpus_per_trial:g} CPUs and {gpus_per_trial:g} GPUs"
    try:
        at_once = trials_at_once(cpus_per_trial, gpus_per_trial)
    except ValueError as error:
        remedy = "lower --cpus-per-trial or --gpus-per-trial, or add a larger node"
        return Check("resources", "failed", str(error), remedy), 0
    return Check("resources", "ok", f"{at_once} trial(s) of {share} run at once"), at_once


def gpu_check(gpus_per_trial: float, reports: Sequence[NodeReport]) -> Check:
    """Whether torch finds the GPUs that Ray counts, and whether the trials are given any."""
    with_gpu = [r for r in reports if r.num_gpus and not r.silent]
    if not with_gpu:
        return Check("GPU", "skipped", "Ray counts no GPU; trials train on the CPU")
    broken = [f"{r.name}: {r.gpus}" for r in with_gpu if isinstance(r.gpus, str)]
    broken += [
        f"{r.name}: Ray counts {r.num_gpus:g} GPUs, torch finds {len(r.gpus)}"
        for r in with_gpu
        if not isinstance(r.gpus, str) and len(r.gpus) < r.num_gpus
    ]
    if broken:
        remedy = "check nvidia-smi, the driver's version and that torch is a CUDA build"
        return Check("GPU", "failed" if gpus_per_trial else "warning", _listed(broken), remedy)
    found = _listed([f"{r.name}: {', '.join(r.gpus)}" for r in with_gpu])
    if not gpus_per_trial:
        return Check("GPU", "warning", f"{found}; trials get none", "--gpus-per-trial 1, or 0.5")
    return Check("GPU", "ok", found)
