"""What the doctor makes of the nodes' answers."""

from pathlib import Path
from typing import Any

from galaxytune.cluster import node_tasks
from galaxytune.doctor.cluster_checks import (
    NodeReport,
    data_on_nodes_check,
    storage_check,
    versions_check,
)
from galaxytune.doctor.driver_checks import package_names


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


def test_a_file_of_another_size_on_a_node_is_a_failure(toy_npz: Path) -> None:
    size = toy_npz.stat().st_size
    reports = [node("a", data_bytes=size), node("b", data_bytes=size - 1)]
    check = data_on_nodes_check(toy_npz, reports)
    assert check.status == "failed" and "b finds" in check.found and "a finds" not in check.found


def test_a_node_that_is_silent_is_not_counted_among_those_that_write(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("token")
    reports = [node("a", sees_driver=True), node("b", silent="gone")]
    check = storage_check(tmp_path, tmp_path, "token", reports)
    assert "driver and 1 node can write and see it" in check.found
