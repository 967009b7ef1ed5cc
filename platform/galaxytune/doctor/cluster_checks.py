"""The doctor's checks of the nodes of the connected Ray cluster."""

import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from galaxytune.cluster import node_tasks, tasks_sent_whole, trials_at_once
from galaxytune.doctor.driver_checks import package_names, unsupported
from galaxytune.doctor.health_check import Check, gibibytes
from search_spaces.declaration import InvalidInput
from trainables.files import counted, one_line

_ANSWER_SECONDS = 90.0  # a worker process takes half a minute to start if the disk is busy
_LITTLE_SPACE = 2**30
_LONGEST_LIST = 6
_SHARED_DISK = "put --storage and --data on a disk that all nodes share under one path (NFS, ...)"


@dataclass(frozen=True)
class NodeReport:
    """A report of one node to the doctor; `report_on_node` fills the fields `versions` to `gpus`.

    name: host name of the node, with the first six digits of its id.
    node_id: Ray's id of the node, which is also the name of the node's probe file.
    num_gpus: number of GPUs that Ray counts on the node.
    versions: version of Python (key `python`) and of each package on the node; None for a missing
        package.
    sees_driver: whether the node can read the file that the driver wrote in the probe folder.
    write_error: why the node cannot write in the probe folder; empty if the node can write, or if
        `sees_driver` is False, because the node then does not try.
    free_bytes: free bytes on the disk of the probe folder; 0 if `sees_driver` is False.
    data_bytes: size of the data file in bytes, or the reason why the node cannot read the file;
        None without a data file.
    gpus: name and memory of each GPU that torch finds, or the reason why torch finds none; [] if
        `num_gpus` is 0, because torch is not asked then.
    silent: why the node sent no answer; empty if the node answered. Without an answer, the fields
        from `versions` to `gpus` have their defaults, which mean nothing.
    """

    name: str
    node_id: str
    num_gpus: float
    versions: dict[str, str | None] = field(default_factory=dict)
    sees_driver: bool = True
    write_error: str = ""
    free_bytes: int = 0
    data_bytes: int | str | None = None
    gpus: list[str] | str = field(default_factory=list)
    silent: str = ""


@contextmanager
def probe_folder(storage: Path) -> Iterator[Path]:
    """Make a new folder in `storage` for the time of the block, and yield the folder's path.

    `storage` need not exist. At the end the new folder is removed with its content, and also every
    parent folder that was made for it and is empty. OSError is raised if the folder cannot be
    made.
    """
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
    """Return Ray's description of every node that is alive, by the node's name.

    The name is the host name and the first six digits of the node's id, so that the names of two
    nodes on one host differ. The process must be connected to Ray.
    """
    import ray  # noqa: TID251

    nodes = [node for node in ray.nodes() if node["Alive"]]
    return {f"{n['NodeManagerHostname']} ({n['NodeID'][:6]})": n for n in nodes}


def ask_nodes(folder: Path, token: str, data: Path | None) -> list[NodeReport]:
    """Return the report of every node that is alive.

    A small task makes the report on the node itself; the task does not wait for a free CPU. The
    process must be connected to Ray. folder: the probe folder, in which each node writes a file;
    the file of the driver must be there. token: text of all probe files. data: the data file, None
    for none. If a node does not answer within 90 s, or if its task fails, its report has the
    reason in `silent`.
    """
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
    """Return the number of GPUs that Ray counts on a node; `node` is Ray's description of it."""
    return float(node["Resources"].get("GPU", 0.0))


def _listed(found: Sequence[str]) -> str:
    """Return texts joined by semicolons: the first six texts, then the number of the others."""
    more = len(found) - _LONGEST_LIST
    return "; ".join(found[:_LONGEST_LIST]) + (f"; and {more} more" if more > 0 else "")


def ray_check() -> Check:
    """Return the check with the connected cluster's numbers of nodes, CPUs and GPUs.

    The status of the check is always `ok`.
    """
    nodes = alive_nodes().values()
    cpus = sum(node["Resources"].get("CPU", 0.0) for node in nodes)
    gpus = sum(map(_num_gpus, nodes))
    return Check(
        "Ray",
        "ok",
        f"{counted(len(nodes), 'node')}, {cpus:g} CPUs, {gpus:g} GPUs",
    )


def versions_check(driver: Mapping[str, str | None], reports: Sequence[NodeReport]) -> Check:
    """Return the check that every node answers and has the same package versions as the driver.

    driver: version of Python (key `python`) and of each package on the driver. reports: what
    `ask_nodes` returns. The check fails if a node is silent, lacks a package, or has a version
    outside the supported range. Another difference from the driver is a warning.
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
    return Check(
        "nodes alike", "ok", f"{count} are the driver's on {counted(len(reports), 'node')}"
    )


def storage_check(storage: Path, folder: Path, token: str, reports: Sequence[NodeReport]) -> Check:
    """Return the check that driver and nodes write in `storage` and read each other's files.

    storage: the folder of the studies. folder: the probe folder in `storage`, with the files that
    the nodes wrote. token: text of all probe files. reports: what `ask_nodes` returns; silent
    nodes are left out. The check fails if a node cannot read the driver's file or cannot write, or
    if the driver cannot read a node's file. Less than 1 GiB of free space, as the driver sees it,
    is a warning.
    """
    problems = []
    answered = [report for report in reports if not report.silent]
    for report in answered:
        if not report.sees_driver:
            problems.append(f"{report.name} cannot read what the driver writes there")
        elif report.write_error:
            problems.append(f"{report.name} cannot write there: {report.write_error}")
        elif not node_tasks.reads(folder / report.node_id, token):
            problems.append(f"the driver cannot read what {report.name} writes there")
    if problems:
        return Check("storage", "failed", f"{storage}: {_listed(problems)}", _SHARED_DISK)
    free = shutil.disk_usage(folder).free
    writers = f"driver and {counted(len(answered), 'node')} can write and see it"
    found = f"{storage}: {writers}, {gibibytes(free)} free"
    if free < _LITTLE_SPACE:
        return Check("storage", "warning", found, "make room, or name another --storage")
    return Check("storage", "ok", found)


def data_on_nodes_check(data: Path, reports: Sequence[NodeReport]) -> Check:
    """Return the check that every node can read the data file and finds the driver's size.

    data: path of a file that the driver can read; OSError is raised if the file is missing.
    reports: what `ask_nodes` returns for this file; silent nodes are left out. The check fails if
    a node cannot read the file or finds another size.
    """
    size = data.stat().st_size
    problems = []
    for report in (r for r in reports if not r.silent):
        if isinstance(report.data_bytes, str):
            problems.append(f"{report.name} cannot read it: {report.data_bytes}")
        elif report.data_bytes != size:
            problems.append(f"{report.name} finds {report.data_bytes:,} bytes, not {size:,}")
    if problems:
        return Check("data on nodes", "failed", f"{data}: {_listed(problems)}", _SHARED_DISK)
    nodes = counted(len(reports), "node")
    return Check("data on nodes", "ok", f"the same {size:,} bytes on {nodes}")


def resources_check(cpus_per_trial: float, gpus_per_trial: float) -> tuple[Check, int]:
    """Return the check that a node can hold one trial, and the number of trials that run at once.

    cpus_per_trial, gpus_per_trial: CPUs and GPUs of one trial, which may be fractions. The number
    is 0 if no node can hold a trial; the check has failed then. The process must be connected to
    Ray.
    """
    share = f"{cpus_per_trial:g} CPUs and {gpus_per_trial:g} GPUs"
    try:
        at_once = trials_at_once(cpus_per_trial, gpus_per_trial)
    except InvalidInput as error:
        remedy = "lower --cpus-per-trial or --gpus-per-trial, or add a larger node"
        return Check("resources", "failed", str(error), remedy), 0
    return Check("resources", "ok", f"{counted(at_once, 'trial')} of {share} at once"), at_once


def gpu_check(gpus_per_trial: float, reports: Sequence[NodeReport]) -> Check:
    """Return the check that torch finds all GPUs that Ray counts, and that trials use the GPUs.

    gpus_per_trial: GPUs of one trial, 0 for none. reports: what `ask_nodes` returns; silent nodes
    are left out. The check is skipped if Ray counts no GPU. GPUs that torch does not find are a
    failure if trials need a GPU, else a warning. GPUs that no trial uses are a warning.
    """
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
        return Check(
            "GPU", "warning", f"{found}; no trial gets a GPU", "--gpus-per-trial 1, or 0.5"
        )
    return Check("GPU", "ok", found)
