"""A real batch of a network, and whether the trials fit beside each other."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from galaxytune.cluster import node_tasks
from galaxytune.cluster.probing import probe_request
from galaxytune.doctor.training_checks import Measured, memory_check, training_check
from search_spaces.declaration import config_from_values
from tests.support.health import MEASURED, small_plan
from trainables.galaxies import open_galaxies, split_galaxies


@pytest.mark.slow
def test_a_diverging_batch_fails_and_a_sound_one_is_measured(toy_npz: Path) -> None:
    wild = small_plan(toy_npz, set={"width": 0.1, "batch_size": 32, "learning_rate": 1e30})
    config = wild.spaces["simple_cnn"].published
    answer = node_tasks.run_training_probe(probe_request(config, wild, toy_npz), 100)
    check, measured = training_check(config, answer)
    assert (check.status, measured) == ("failed", None)
    assert "train_loss is" in check.found
    sound = small_plan(toy_npz).spaces["simple_cnn"].published
    answer = node_tasks.run_training_probe(probe_request(sound, None, None), 100)
    check, measured = training_check(sound, answer)
    assert check.status == "ok" and measured is not None
    assert measured.seconds_per_step > 0 and measured.host_bytes > measured.state_bytes > 0
    assert measured.state_bytes > 3 * measured.weight_bytes  # weights, best weights, two moments


@pytest.mark.slow
def test_a_share_of_the_memory_that_holds_no_batch_is_a_warning() -> None:
    config = config_from_values({"architecture": "simple_cnn", "batch_size": 8})
    request = {**probe_request(config, None, None), "num_cpus": 1e-6, "uses_gpu": False}
    check, measured = training_check(config, node_tasks.run_training_probe(request, 100))
    assert (check.status, measured is None) == ("warning", False)
    assert "memory holds 1 at once, so each step is done in parts" in check.found


@pytest.mark.slow
@pytest.mark.parametrize("num_galaxies", [None, 50])
def test_a_batch_is_not_larger_than_the_training_galaxies(
    num_galaxies: int | None, toy_npz: Path
) -> None:
    settings = {"width": 0.1, "batch_size": 100_000_000}
    plan = small_plan(toy_npz, set=settings, num_galaxies=num_galaxies)
    config = plan.spaces["simple_cnn"].published
    answer = node_tasks.run_training_probe(probe_request(config, plan, toy_npz), 60)
    check, measured = training_check(config, answer)
    galaxies = open_galaxies(toy_npz)
    expected = len(split_galaxies(galaxies, plan.split, num_galaxies).training)
    assert measured is not None and measured.batch_size == measured.micro_batch == expected
    assert check.status == "ok"
    assert "batch_size 100000000 is more than there are training galaxies" in check.found


def kill_own_probe() -> None:
    """SIGKILL the training probe that this process has started, as the kernel would."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        for children in Path(f"/proc/{os.getpid()}/task").glob("*/children"):
            for child in map(int, children.read_text().split()):
                if (
                    "galaxytune.cluster.training_probe"
                    in Path(f"/proc/{child}/cmdline").read_text()
                ):
                    return os.kill(child, signal.SIGKILL)
        time.sleep(0.01)


def test_a_batch_that_does_not_end_or_is_killed_says_so(toy_npz: Path) -> None:
    config = small_plan(toy_npz).spaces["simple_cnn"].published
    request = probe_request(config, None, None)
    answer = node_tasks.run_training_probe(request, 0.05)
    assert "did not end within" in training_check(config, answer)[0].found
    killer = threading.Thread(target=kill_own_probe)
    killer.start()
    answer = node_tasks.run_training_probe(request, 100)
    killer.join()
    assert "because memory ran out" in training_check(config, answer)[0].found


def test_trials_that_do_not_fit_beside_each_other_fail(toy_npz: Path) -> None:
    asked = small_plan(toy_npz)
    measured = {"simple_cnn": MEASURED}
    assert memory_check(asked, measured, 4, 4 * 2**30).status == "ok"
    assert memory_check(asked, measured, 5, 4 * 2**30).status == "failed"
    on_gpu = Measured(**{**vars(MEASURED), "gpu_bytes": 4 * 2**30, "gpu_total_bytes": 2**33})
    halves = small_plan(toy_npz, gpus_per_trial=0.5)
    assert memory_check(halves, {"simple_cnn": on_gpu}, 2, 2**40).status == "failed"
    assert (
        memory_check(small_plan(toy_npz, gpus_per_trial=1), {"a": on_gpu}, 1, 2**40).status == "ok"
    )
