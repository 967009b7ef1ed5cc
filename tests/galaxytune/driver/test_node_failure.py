"""A node that dies takes no trial with it."""

import threading
from collections.abc import Iterator

import pytest
import ray
from ray.cluster_utils import Cluster

from galaxytune.driver.run import run_study
from tests.support import misbehaving
from tests.support.processes import wait_for
from tests.support.rays import Rays
from tests.support.studies import BeginStudy, assert_mirrored, assert_whole

pytestmark = [pytest.mark.ray, pytest.mark.soak]


@pytest.fixture
def two_nodes(rays: Rays) -> Iterator[Cluster]:
    """A cluster on this machine, one CPU a node; the second may be killed."""
    rays.end()
    head = {"num_cpus": 1, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    ray.init(address=cluster.address, log_to_driver=False)
    yield cluster
    ray.shutdown()
    cluster.shutdown()


def test_a_killed_node_costs_neither_trial_nor_epoch(
    two_nodes: Cluster, begin_study: BeginStudy
) -> None:
    node = two_nodes.add_node(num_cpus=1)
    two_nodes.wait_for_nodes()
    folder = begin_study(trials=2, wandb="offline")  # one on each node

    def kill() -> None:
        wait_for(lambda: folder.curve("00000") and folder.curve("00001"), 60)
        two_nodes.remove_node(node, allow_graceful=False)

    killing = threading.Thread(target=kill)
    killing.start()
    run_study(folder, trainable=misbehaving.takes_long)
    killing.join()
    assert_whole(folder)
    assert_mirrored(folder)
    assert {record.status for record in folder.records()} == {"complete"}
    assert sum(record.retries for record in folder.records()) == 1
