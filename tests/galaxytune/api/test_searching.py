"""What the functions on studies refuse before any work begins."""

from pathlib import Path
from typing import Any

import pytest

from galaxytune.api.searching import rank, report, search
from search_spaces.declaration.errors import InvalidInput


@pytest.mark.parametrize("plan", [None, 3, ["simple_cnn"]], ids=str)
def test_a_plan_of_another_kind_is_refused(plan: Any) -> None:
    with pytest.raises(InvalidInput, match="^a plan must be a StudyPlan, a mapping or the path"):
        search(plan)


def test_what_is_no_study_is_neither_ranked_nor_reported(tmp_path: Path) -> None:
    given: Any = ["first"]
    with pytest.raises(InvalidInput, match="^studies must be .*, got a list$"):
        rank(given)
    with pytest.raises(InvalidInput, match="^studies must be .*, got a str$"):
        report(given, tmp_path)
    with pytest.raises(InvalidInput, match="^no study was given"):
        report([], tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("cluster", ["auto", 3], ids=str)
def test_a_cluster_is_an_address_object(cluster: Any, toy_npz: Path) -> None:
    plan = {"name": "s", "architectures": ["simple_cnn"], "data": str(toy_npz), "trials": 1}
    with pytest.raises(InvalidInput, match="^cluster must be a ClusterAddress, such as"):
        search(plan, cluster=cluster)
