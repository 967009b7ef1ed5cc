"""The doctor on real Ray nodes, one of them with a disk of its own, and on broken settings."""

import http.server
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import ray
import torch
from ray.cluster_utils import Cluster

from galaxytune import node_tasks
from galaxytune.cluster_checks import (
    NodeReport,
    alive_nodes,
    ask_nodes,
    data_on_nodes_check,
    gpu_check,
    probe_folder,
    resources_check,
    storage_check,
    versions_check,
)
from galaxytune.cost_estimate import estimate, halved_epochs, whole_trials
from galaxytune.doctor import check_address, doctor_and_report, run_doctor
from galaxytune.driver_checks import (
    package_check,
    package_names,
    study_check,
    unsupported,
    wandb_check,
)
from galaxytune.ray_cluster import ClusterAddress
from galaxytune.study_plan import make_plan
from galaxytune.training_checks import Measured, memory_check, probe_request, training_check

SILENT_ADDRESS = ClusterAddress("127.0.0.1:1")


def plan(data: Path, **changes: Any):
    values: dict[str, Any] = {
        "name": "toy",
        "architectures": ["simple_cnn"],
        "data": str(data),
        "trials": 20,
        "epochs": 9,
        "grace_epochs": 1,
        "set": {"width": 0.1, "batch_size": 32},
        "wandb": "offline",
    }
    return make_plan(values | changes)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Two nodes on this machine; one is said to have a GPU."""
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


def statuses(checks) -> dict[str, str]:
    return {check.name: check.status for check in checks}


def test_a_healthy_plan_passes_and_nothing_is_left(cluster, toy_npz, tmp_path) -> None:
    storage = tmp_path / "new" / "studies"
    diagnosis = run_doctor(plan(toy_npz), storage, ClusterAddress())
    found = statuses(diagnosis.checks)
    assert found.pop("GPU") == "warning"
    assert set(found.values()) == {"ok"}
    assert {"packages", "nodes alike", "storage", "data on nodes", "resources"} <= set(found)
    assert {"training of simple_cnn", "memory", "disk", "W&B", "study", "data"} <= set(found)
    by_name = {check.name: check.found for check in diagnosis.checks}
    assert "2 node(s), 2 CPUs, 1 GPUs" in by_name["Ray"]
    assert "batch of 32 on the CPU" in by_name["training of simple_cnn"]
    assert list(tmp_path.iterdir()) == []
    cost = diagnosis.estimate
    assert cost is not None and cost.num_at_once == 2
    assert 0 < cost.device_hours < cost.device_hours_without_halving
    assert "estimate" in cost.lines()[0]
    assert json.loads(json.dumps(diagnosis.as_json()))["healthy"] is True


def test_resources_are_judged_by_the_nodes_there_are(cluster) -> None:
    assert resources_check(1.0, 0.0)[1] == 2
    assert resources_check(0.5, 0.5)[1] == 2  # both on the one node with a GPU
    check, at_once = resources_check(2.0, 0.0)
    assert (check.status, at_once) == ("failed", 0)
    assert "no node can hold" in check.found


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is here")
def test_a_gpu_that_torch_cannot_use_fails_a_plan_that_wants_it(cluster, tmp_path) -> None:
    with probe_folder(tmp_path / "studies") as folder:
        reports = ask_nodes(folder, "token", None)
    assert sorted(report.num_gpus for report in reports) == [0, 1]
    assert gpu_check(0.5, reports).status == "failed"
    assert gpu_check(0.0, reports).status == "warning"
    assert gpu_check(0.0, [r for r in reports if not r.num_gpus]).status == "skipped"


def test_a_node_with_a_disk_of_its_own_is_named(cluster, toy_npz, tmp_path) -> None:
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
    assert f"{lonely} does not see" in stored.found and "share" in stored.remedy
    assert f"{lonely} cannot read it: No such file" in read.found
    assert not any(name in stored.found for name in before)


def node(name: str, **answers: Any) -> NodeReport:
    return NodeReport(name, name, 0.0, **answers)


def test_nodes_that_differ_are_listed() -> None:
    own = node_tasks.versions(package_names())
    other = {**own, "rich": "14.9.9"}
    check = versions_check(own, [node("a", versions=own), node("b", versions=other)])
    assert (check.status, check.found.count(";")) == ("warning", 0)
    assert "b has rich 14.9.9" in check.found
    lacking = {**own, "torch": None}
    check = versions_check(own, [node("b", versions=lacking), node("c", silent="gone")])
    assert check.status == "failed"
    assert "b: torch is missing" in check.found and "c: gone" in check.found


def test_versions_are_held_against_our_own_metadata() -> None:
    assert package_check().status == "ok"
    own = node_tasks.versions(package_names())
    assert unsupported({**own, "python": "3.9.1", "ray": "2.59.0"}) == [
        "python 3.9.1 is not <3.14,>=3.11",
        "ray 2.59.0 is not <2.61,>=2.60",
    ]


def test_a_file_of_another_size_on_a_node_is_a_failure(toy_npz: Path) -> None:
    size = toy_npz.stat().st_size
    reports = [node("a", data_bytes=size), node("b", data_bytes=size - 1)]
    check = data_on_nodes_check(toy_npz, reports)
    assert check.status == "failed" and "b finds" in check.found and "a finds" not in check.found


def test_a_place_that_cannot_be_written_and_a_taken_name_fail(cluster, toy_npz, tmp_path) -> None:
    (tmp_path / "file").write_text("not a folder")
    plan_of_two = plan(toy_npz, cpus_per_trial=2)  # so that nothing is trained
    found = statuses(run_doctor(plan_of_two, tmp_path / "file", ClusterAddress()).checks)
    assert (found["storage"], found["training"]) == ("failed", "skipped")
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "plan.yaml").touch()
    assert study_check(plan_of_two, tmp_path).status == "failed"


def test_a_silent_cluster_is_told_in_seconds_and_ends_with_a_failure(
    toy_npz, tmp_path, capsys
) -> None:
    started = time.monotonic()
    with pytest.raises(ValueError, match="no Ray cluster at '127.0.0.1:1'"):
        check_address(SILENT_ADDRESS)
    with pytest.raises(RuntimeError, match=r"1 check\(s\) failed: Ray"):
        doctor_and_report(plan(toy_npz), tmp_path, SILENT_ADDRESS, as_json=True)
    assert time.monotonic() - started < 20
    told = json.loads(capsys.readouterr().out)
    assert told["healthy"] is False and told["estimate"] is None
    assert {"name", "status", "found", "remedy"} == set(told["checks"][0])


def test_a_diverging_batch_fails_and_a_sound_one_is_measured(toy_npz: Path) -> None:
    wild = plan(toy_npz, set={"width": 0.1, "batch_size": 32, "learning_rate": 1e30})
    config = wild.published_config("simple_cnn")
    answer = node_tasks.run_training_probe(probe_request(config, wild, toy_npz), 100)
    check, measured = training_check(config, answer)
    assert (check.status, measured) == ("failed", None)
    assert "train_loss is" in check.found
    sound = plan(toy_npz).published_config("simple_cnn")
    answer = node_tasks.run_training_probe(probe_request(sound, None, None), 100)
    check, measured = training_check(sound, answer)
    assert check.status == "ok" and measured is not None
    assert measured.seconds_per_step > 0 and measured.host_bytes > measured.state_bytes > 0
    assert measured.state_bytes > 3 * measured.weight_bytes  # weights, best weights, two moments


def kill_own_probe() -> None:
    """SIGKILL the training probe that this process has started, as the kernel would."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        for children in Path(f"/proc/{os.getpid()}/task").glob("*/children"):
            for child in map(int, children.read_text().split()):
                if "galaxytune.training_probe" in Path(f"/proc/{child}/cmdline").read_text():
                    return os.kill(child, signal.SIGKILL)
        time.sleep(0.01)


def test_a_batch_that_does_not_end_or_is_killed_says_so(toy_npz: Path) -> None:
    config = plan(toy_npz).published_config("simple_cnn")
    request = probe_request(config, None, None)
    answer = node_tasks.run_training_probe(request, 0.05)
    assert "did not end within" in training_check(config, answer)[0].found
    killer = threading.Thread(target=kill_own_probe)
    killer.start()
    answer = node_tasks.run_training_probe(request, 100)
    killer.join()
    assert "for want of memory" in training_check(config, answer)[0].found


class QuietHandler(http.server.BaseHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def wandb_server() -> Iterator[str]:
    """A server that answers 404 to everything, as good as any."""
    server = http.server.HTTPServer(("127.0.0.1", 0), QuietHandler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_online_wandb_wants_a_key_and_a_server(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))  # no ~/.netrc
    assert wandb_check("offline", tmp_path).status == "ok"
    assert wandb_check("disabled", tmp_path).status == "skipped"
    with wandb_server() as address:
        monkeypatch.setenv("WANDB_BASE_URL", address)
        assert "no API key" in wandb_check("online", tmp_path).found
        monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
        assert wandb_check("online", tmp_path).status == "ok"
    check = wandb_check("online", tmp_path)
    assert check.status == "failed" and "does not answer" in check.found


MEASURED = Measured(
    device="cpu",
    batch_size=32,
    micro_batch=32,
    seconds_per_step=2.0,
    seconds_per_validated=0.5,
    host_bytes=2**30,
    gpu_bytes=0,
    gpu_total_bytes=0,
    weight_bytes=100,
    frozen_bytes=10,
    state_bytes=400,
)


def test_the_estimate_is_what_one_works_out_by_hand(toy_npz: Path) -> None:
    asked = plan(toy_npz, cpus_per_trial=2.0)
    # rungs at 1 and 3 of 9 epochs
    assert halved_epochs(asked, 9, 5) == pytest.approx((5 * 1 + 1 * 2 + 1 * 6) / 5)
    mean = halved_epochs(asked, 9, 19)
    assert mean == pytest.approx((19 * 1 + 6 * 2 + 2 * 6) / 19)
    assert whole_trials(asked) == 1
    cost = estimate(asked, {"simple_cnn": MEASURED}, {"training": 100, "validation": 20}, 4)
    epoch = 4 * 2.0 + 20 * 0.5  # 4 steps, 20 galaxies validated
    assert cost.device_hours_without_halving == pytest.approx(20 * 9 * epoch * 2 / 3600)
    assert cost.device_hours == pytest.approx((9 + 19 * mean) * epoch * 2 / 3600)
    assert cost.wall_hours == pytest.approx((9 + 19 * mean) * epoch / 4 / 3600)
    # four trials run; of 20 that come to the first rung and 6 at the next, 5 and 3 may pause
    assert cost.disk_bytes == (5 + 1) * 100 + (4 + 5 + 3) * (100 + 400) + 10


def test_a_grid_is_not_halved_and_a_grace_to_be_measured_begins_with_a_27th(toy_npz) -> None:
    grid = plan(toy_npz, grid=[{"learning_rate": [1e-3, 1e-2]}], trials=2)
    assert (halved_epochs(grid, 9, 2), whole_trials(grid)) == (9.0, 2)
    measuring = plan(toy_npz, grace_epochs=None, epochs=27)
    many = halved_epochs(measuring, 27, 10_000)
    assert many == pytest.approx(1 + 2 / 3 + 6 / 9 + 18 / 27, rel=0.01)


def test_trials_that_do_not_fit_beside_each_other_fail(toy_npz: Path) -> None:
    asked = plan(toy_npz)
    measured = {"simple_cnn": MEASURED}
    assert memory_check(asked, measured, 4, 4 * 2**30).status == "ok"
    assert memory_check(asked, measured, 5, 4 * 2**30).status == "failed"
    on_gpu = Measured(**{**vars(MEASURED), "gpu_bytes": 4 * 2**30, "gpu_total_bytes": 2**33})
    halves = plan(toy_npz, gpus_per_trial=0.5)
    assert memory_check(halves, {"simple_cnn": on_gpu}, 2, 2**40).status == "failed"
    assert memory_check(plan(toy_npz, gpus_per_trial=1), {"a": on_gpu}, 1, 2**40).status == "ok"
