"""The table of architectures: what a row says where a network is there, and where it is gone."""

import pytest

from analysis.report.comparison_section import comparison_section
from analysis.report.study_results import BestNetwork, StudyResults
from tests.support.held_out import held_out
from tests.support.records import record


def test_a_network_that_is_gone_is_compared_by_its_predictions() -> None:
    best = BestNetwork(record(1, 0.1), None, held_out("a", 0.1))
    results = StudyResults("s", [best.record], {}, noise_floor=0.05, best={"simple_cnn": best})
    made = comparison_section(results)
    assert made is not None
    (row,) = made[0].tables[0].rows
    assert row[2] == pytest.approx(0.1, abs=2e-3) and row[8:10] == [None, None]
