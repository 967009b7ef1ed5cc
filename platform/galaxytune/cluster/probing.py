"""Measurement of a network on the connected cluster, with the resources of a trial."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from galaxytune.cluster import node_tasks
from galaxytune.plan import StudyPlan
from search_spaces.declaration import TrainingProtocol

TRAINING_PROBE = "galaxytune.cluster.training_probe"
PACKING_PROBE = "galaxytune.cluster.packing_probe"
_PROBE_SECONDS = 600.0
_QUEUE_SECONDS = 120.0  # time to wait for a free CPU or GPU on the cluster


@contextmanager
def tasks_sent_whole() -> Iterator[None]:
    """Let Ray send the functions of node_tasks as code, not by name, while the block runs."""
    import ray  # noqa: TID251

    ray.cloudpickle.register_pickle_by_value(node_tasks)
    try:
        yield
    finally:
        ray.cloudpickle.unregister_pickle_by_value(node_tasks)


def probe_request(
    config: TrainingProtocol, plan: StudyPlan | None, data: Path | None
) -> dict[str, Any]:
    """Return the request that a probe reads: the config, the data and the resources of a trial.

    plan: gives the resources; None for one CPU, and a GPU if there is one. data: path of the
    galaxy file; None for simulated galaxies, which only the training probe allows. The keys are
    `config` (values by field name), `data`, `split`, `num_galaxies`, `num_threads`, `num_cpus` and
    `uses_gpu`.
    """
    return {
        "config": config.model_dump(mode="json"),
        "data": None if data is None else str(data),
        "split": "hash" if plan is None else plan.split,
        "num_galaxies": None if plan is None else plan.num_galaxies,
        "num_threads": 1 if plan is None else max(1, int(plan.cpus_per_trial)),
        "num_cpus": None if plan is None else plan.cpus_per_trial,
        "uses_gpu": plan is None or plan.gpus_per_trial > 0,
    }


def probe_on_cluster(
    request: Mapping[str, Any], plan: StudyPlan | None, *, module: str = TRAINING_PROBE
) -> dict[str, Any]:
    """Run a probe on the connected cluster with the resources of a trial; return its result.

    request: what `probe_request` returns. plan: gives the CPUs and GPUs that Ray holds for the
    probe; None for one CPU and no GPU. module: name of the probe's module. The result is the
    mapping that `measure` of this module returns. If the probe fails, its worker is lost, or there
    is no result after 12 minutes, the result is the reason under the key `failure`.
    """
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
        return {"failure": "the cluster had no free CPU or GPU; other work may hold them"}
    except ray.exceptions.RayError as error:
        return {"failure": f"its worker was lost: {str(error).splitlines()[0]}"}
    return measured
