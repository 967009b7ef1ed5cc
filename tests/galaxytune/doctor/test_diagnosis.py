"""The doctor on real Ray nodes, one of them with a disk of its own, and on broken settings."""

import json
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import ray
import torch
from ray.cluster_utils import Cluster

from galaxytune.cluster import node_tasks
from galaxytune.cluster.connection import ClusterAddress, check_address
from galaxytune.doctor.cluster_checks import (
    alive_nodes,
    ask_nodes,
    data_on_nodes_check,
    gpu_check,
    probe_folder,
    resources_check,
    storage_check,
)
from galaxytune.doctor.diagnosis import run_doctor
from galaxytune.doctor.driver_checks import study_check
from galaxytune.doctor.health_check import Check
from search_spaces.declaration.errors import InvalidInput
from tests.support.health import small_plan
from tests.support.rays import Rays

pytestmark = pytest.mark.ray

SILENT_ADDRESS = ClusterAddress("127.0.0.1:1")


@pytest.fixture(scope="module")
def cluster(rays: Rays) -> Iterator[Cluster]:
    """Two nodes on this machine; one is said to have a GPU."""
    rays.end()
    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False}
    )
    cluster.add_node(num_cpus=1, num_gpus=1)
    cluster.wait_for_nodes()
    ray.init(address=cluster.address, log_to_driver=False)
    yield cluster
    ray.shutdown()
    cluster.shutdown()


@contextmanager
def node_with_own_disk(cluster: Cluster, folder: Path) -> Iterator[None]:
    """One more node, which has an empty disk of its own where others have `folder`."""
    start = f"{Path(sys.executable).with_name('ray')} start --address={cluster.address}"
    mounts = ["unshare", "-m", "sh", "-c"]
    mount = f"mount -t tmpfs none {folder}"
    if subprocess.run([*mounts, mount], capture_output=True).returncode:
        pytest.skip("a process may not mount a disk of its own here")
    quiet = subprocess.DEVNULL
    command = [*mounts, f"{mount} && exec {start} --num-cpus=1 --block"]
    with subprocess.Popen(command, stdout=quiet, stderr=quiet) as node:
        deadline = time.monotonic() + 60
        while len(alive_nodes()) < 3:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield
        node.terminate()


def statuses(checks: Iterable[Check]) -> dict[str, str]:
    return {check.name: check.status for check in checks}


def test_a_healthy_plan_passes_and_nothing_is_left(
    cluster: Cluster, toy_npz: Path, tmp_path: Path
) -> None:
    storage = tmp_path / "new" / "studies"
    diagnosis = run_doctor(small_plan(toy_npz), storage, ClusterAddress())
    found = statuses(diagnosis.checks)
    assert found.pop("GPU") == "warning"
    assert set(found.values()) == {"ok"}
    assert {"packages", "nodes alike", "storage", "data on nodes", "resources"} <= set(found)
    assert {"training of simple_cnn", "memory", "disk", "W&B", "study", "data"} <= set(found)
    by_name = {check.name: check.found for check in diagnosis.checks}
    assert "2 nodes, 2 CPUs, 1 GPUs" in by_name["Ray"]
    assert "batch of 32 on the CPU" in by_name["training of simple_cnn"]
    assert list(tmp_path.iterdir()) == []
    cost = diagnosis.estimate
    assert cost is not None and cost.num_at_once == 2
    assert 0 < cost.device_hours < cost.device_hours_without_halving
    assert "estimate" in cost.lines()[0]
    assert json.loads(json.dumps(diagnosis.as_values()))["healthy"] is True


def test_resources_are_judged_by_the_nodes_there_are(cluster: Cluster) -> None:
    assert resources_check(1.0, 0.0)[1] == 2
    assert resources_check(0.5, 0.5)[1] == 2  # both on the one node with a GPU
    check, at_once = resources_check(2.0, 0.0)
    assert (check.status, at_once) == ("failed", 0)
    assert "no node can hold" in check.found


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is here")
def test_a_gpu_that_torch_cannot_use_fails_a_plan_that_wants_it(
    cluster: Cluster, tmp_path: Path
) -> None:
    with probe_folder(tmp_path / "studies") as folder:
        reports = ask_nodes(folder, "token", None)
    assert sorted(report.num_gpus for report in reports) == [0, 1]
    assert gpu_check(0.5, reports).status == "failed"
    assert gpu_check(0.0, reports).status == "warning"
    assert gpu_check(0.0, [r for r in reports if not r.num_gpus]).status == "skipped"


def test_a_node_with_a_disk_of_its_own_is_named(
    cluster: Cluster, toy_npz: Path, tmp_path: Path
) -> None:
    storage = tmp_path / "local"
    storage.mkdir()
    data = storage / "toys.npz"
    data.write_bytes(toy_npz.read_bytes())
    before = set(alive_nodes())
    with node_with_own_disk(cluster, storage), probe_folder(storage) as folder:
        (lonely,) = set(alive_nodes()) - before
        assert node_tasks.write_probe(folder, node_tasks.DRIVERS_PROBE, "token") == ""
        reports = ask_nodes(folder, "token", data)
        stored = storage_check(storage, folder, "token", reports)
        read = data_on_nodes_check(data, reports)
    assert stored.status == read.status == "failed"
    assert f"{lonely} cannot read" in stored.found and "share" in stored.remedy
    assert f"{lonely} cannot read it: No such file" in read.found
    assert not any(name in stored.found for name in before)


def test_a_place_that_cannot_be_written_and_a_taken_name_fail(
    cluster: Cluster, toy_npz: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("not a folder")
    plan_of_two = small_plan(toy_npz, cpus_per_trial=2)  # so that nothing is trained
    found = statuses(run_doctor(plan_of_two, tmp_path / "file", ClusterAddress()).checks)
    assert (found["storage"], found["training"]) == ("failed", "skipped")
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "plan.yaml").touch()
    assert study_check(plan_of_two, tmp_path).status == "failed"


def test_a_silent_cluster_is_told_in_seconds_and_ends_with_a_failure(
    toy_npz: Path, tmp_path: Path
) -> None:
    started = time.monotonic()
    with pytest.raises(InvalidInput, match="no Ray cluster at '127.0.0.1:1'"):
        check_address(SILENT_ADDRESS)
    diagnosis = run_doctor(small_plan(toy_npz), tmp_path, SILENT_ADDRESS)
    assert time.monotonic() - started < 20
    assert [check.name for check in diagnosis.failed] == ["Ray"]
    assert diagnosis.healthy is False and diagnosis.estimate is None
