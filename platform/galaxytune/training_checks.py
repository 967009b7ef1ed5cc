"""A real batch of every architecture, where and with what a trial would have it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from galaxytune import node_tasks
from galaxytune.cluster_checks import tasks_sent_whole
from galaxytune.health_check import Check, gibibytes
from galaxytune.study_plan import StudyPlan
from search_spaces import architecture_names, config_class, config_from_values
from search_spaces.declaration.training_protocol import TrainingProtocol

_PROBE_SECONDS = 600.0
_QUEUE_SECONDS = 120.0  # for a free place on the cluster
_SMALL = {"batch_size": 8, "weights": "none", "input_side": 64}  # where no plan asks for more
_CUDA_CONTEXT = 600 * 2**20  # what each process takes on a GPU besides its tensors
_SMALLER = "lower batch_size, width or input_side (--set), or give each trial more of the machine"


@dataclass(frozen=True)
class Measured:
    """What a few steps of one config took; see training_probe.measure."""

    device: str
    batch_size: int
    micro_batch: int
    seconds_per_step: float
    seconds_per_validated: float
    host_bytes: int
    gpu_bytes: int
    gpu_total_bytes: int
    weight_bytes: int
    frozen_bytes: int
    state_bytes: int


def probed_configs(plan: StudyPlan | None) -> Iterator[TrainingProtocol]:
    """The plan's published configs; without a plan every network with a small batch and input."""
    if plan is not None:
        yield from map(plan.published_config, plan.architectures)
        return
    for name in architecture_names():
        fields = config_class(name).model_fields
        small = {key: value for key, value in _SMALL.items() if key in fields}
        yield config_from_values({"architecture": name, **small})


def probe_request(
    config: TrainingProtocol, plan: StudyPlan | None, data: Path | None
) -> dict[str, Any]:
    """What training_probe reads."""
    return {
        "config": config.model_dump(mode="json"),
        "data": None if data is None else str(data),
        "num_threads": 1 if plan is None else max(1, int(plan.cpus_per_trial)),
        "uses_gpu": plan is None or plan.gpus_per_trial > 0,
    }


def probe_on_cluster(
    request: Mapping[str, Any],
    plan: StudyPlan | None,
    *,
    module: str = "galaxytune.training_probe",
) -> dict[str, Any]:
    """Run a probe with a trial's share of the connected cluster, as a trial would be placed."""
    import ray  # noqa: TID251

    cpus, gpus = (1.0, 0.0) if plan is None else (plan.cpus_per_trial, plan.gpus_per_trial)
    with tasks_sent_whole():
        task = ray.remote(num_cpus=cpus, num_gpus=gpus, max_retries=0)(
            node_tasks.run_training_probe
        )
        answer = task.remote(dict(request), _PROBE_SECONDS, module)
    try:
        measured: dict[str, Any] = ray.get(answer, timeout=_PROBE_SECONDS + _QUEUE_SECONDS)
    except ray.exceptions.GetTimeoutError:
        ray.cancel(answer, force=True)
        return {"failure": "the cluster had no free place for it; is it busy with other work?"}
    except ray.exceptions.RayError as error:
        return {"failure": f"its worker was lost: {str(error).splitlines()[0]}"}
    return measured


def training_check(
    config: TrainingProtocol, answer: Mapping[str, Any]
) -> tuple[Check, Measured | None]:
    """What a probe's answer says."""
    name = f"training of {config.architecture}"
    if "failure" in answer:
        found = f"batch of {config.batch_size}: {answer['failure']}"
        return Check(name, "failed", found, _SMALLER), None
    measured = Measured(**answer)
    on = "GPU" if measured.device == "cuda" else "CPU"
    gpu = f", {gibibytes(measured.gpu_bytes)} on the GPU" if measured.gpu_bytes else ""
    found = (
        f"batch of {measured.batch_size} on the {on}: {measured.seconds_per_step:.3g} s a step, "
        f"{gibibytes(measured.host_bytes)} of memory{gpu}"
    )
    if measured.micro_batch < measured.batch_size:
        found += f"; memory holds {measured.micro_batch} at once, so each step is done in parts"
        return Check(name, "warning", found, _SMALLER), measured
    return Check(name, "ok", found), measured


def memory_check(
    plan: StudyPlan, measured: Mapping[str, Measured], num_at_once: int, total_bytes: float
) -> Check:
    """Whether as many trials as run at once fit beside each other, on the GPU and in memory.

    total_bytes: the memory of all nodes together; a trial's is taken for the greediest network's.
    """
    host = num_at_once * max(m.host_bytes for m in measured.values())
    found = f"{num_at_once} trial(s) at once: {gibibytes(host)} of {gibibytes(total_bytes)}"
    total_gpu = max(m.gpu_total_bytes for m in measured.values())
    if plan.gpus_per_trial and total_gpu:
        sharing = max(1, int(1 / plan.gpus_per_trial + 1e-9))
        gpu = sharing * (max(m.gpu_bytes for m in measured.values()) + _CUDA_CONTEXT)
        found += f"; {sharing} on a GPU: {gibibytes(gpu)} of {gibibytes(total_gpu)}"
        if gpu > total_gpu:
            return Check("memory", "failed", found, f"raise --gpus-per-trial, or {_SMALLER}")
    if host > total_bytes:
        return Check("memory", "failed", found, f"raise --cpus-per-trial, or {_SMALLER}")
    return Check("memory", "ok", found)
