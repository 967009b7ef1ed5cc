"""Checks of a real training batch of each network, with the resources that a trial would have."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from galaxytune.doctor.health_check import Check, gibibytes
from galaxytune.plan import StudyPlan
from search_spaces.declaration import (
    TrainingProtocol,
    architecture_names,
    config_class,
    config_from_values,
)
from trainables.files import counted

_SMALL = {"batch_size": 8, "weights": "none", "input_side": 64}  # used without a plan
_CUDA_CONTEXT = 600 * 2**20  # bytes that each process takes on a GPU besides its tensors
_SMALLER = "lower batch_size, width or input_side (--set), or give each trial more of the machine"


@dataclass(frozen=True)
class Measured:
    """A measurement of a few training steps of one config; see `training_probe.measure`.

    device: `cuda` or `cpu`.
    batch_size: number of galaxies of a batch, at most the training galaxies of the search.
    micro_batch: number of galaxies that memory holds at once; less than `batch_size` if memory
        does not hold a whole batch.
    seconds_per_step: seconds of one training step, which is one batch.
    seconds_per_validated: seconds of validation for one galaxy.
    host_bytes: the most bytes of main memory that the process of the training took.
    gpu_bytes: the most bytes of GPU memory that tensors took; 0 on a CPU.
    gpu_total_bytes: all bytes of the GPU's memory; 0 on a CPU.
    weight_bytes: bytes of the weights that a checkpoint of the best epoch holds, without frozen
        weights.
    frozen_bytes: bytes of the frozen weights, which all trials of the architecture share.
    state_bytes: bytes of the state that a trial needs to be resumed.
    """

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
    """Yield the configs that the doctor trains for a few steps.

    With a plan these are the published configs of its architectures, in the plan's order. Without
    a plan (None) there is one config for each architecture that is not a member of a family, with
    a batch of 8, images of 64 pixels and no pretrained weights.
    """
    if plan is not None:
        yield from (space.published for space in plan.spaces.values())
        return
    for name in architecture_names():
        fields = config_class(name).model_fields
        small = {key: value for key, value in _SMALL.items() if key in fields}
        yield config_from_values({"architecture": name, **small})


def training_check(
    config: TrainingProtocol, answer: Mapping[str, Any]
) -> tuple[Check, Measured | None]:
    """Return the check that follows from a probe's answer, and the measurement in the answer.

    answer: what `probe_on_cluster` returns for `config`: the fields of `Measured`, or the reason
    of a failure under the key `failure`. If the probe failed, the check has failed and the
    measurement is None. A batch that memory holds only in parts is a warning.
    """
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
    if measured.batch_size < config.batch_size:
        found += f"; batch_size {config.batch_size} is more than there are training galaxies"
    if measured.micro_batch < measured.batch_size:
        found += f"; memory holds {measured.micro_batch} at once, so each step is done in parts"
        return Check(name, "warning", found, _SMALLER), measured
    return Check(name, "ok", found), measured


def memory_check(
    plan: StudyPlan, measured: Mapping[str, Measured], num_at_once: int, total_bytes: float
) -> Check:
    """Return the check that the trials that run at once fit into memory together.

    plan: gives the GPUs of one trial. measured: the measurement of at least one architecture, by
    name; each trial counts as the largest of them. num_at_once: number of trials that run at once.
    total_bytes: main memory of all nodes together, as Ray counts it. If trials use GPUs, the
    trials that share a GPU must also fit into the memory of the largest measured GPU. The check
    fails if the trials do not fit.
    """
    host = num_at_once * max(m.host_bytes for m in measured.values())
    trials = counted(num_at_once, "trial")
    found = f"{trials} at once: {gibibytes(host)} of {gibibytes(total_bytes)}"
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
