"""Two goals in words: what is traded, what the limit leaves, and their place in the report."""

from pathlib import Path

import pytest

from analysis.records import TrialRecord
from analysis.report.page import Section
from analysis.report.pareto_section import pareto_section
from analysis.report.report import write_report
from analysis.report.study_results import StudyResults
from tests.support.two_goals import STOPPED, TRIALS, weighed


def told(
    trials: list[TrialRecord], limit: float | None, folder: Path
) -> tuple[Section, list[str]]:
    results = StudyResults(
        "s", trials, {}, noise_floor=0.05, two_objectives=True, max_tree_residual=limit
    )
    found = pareto_section(results, folder)
    assert found is not None
    return found


def test_the_sentences_say_what_is_traded_and_what_the_limit_leaves(tmp_path: Path) -> None:
    section, (front, published, limit) = told(TRIALS, 0.25, tmp_path)
    assert front == (
        "3 of 5 complete trials are on the Pareto front, beaten by none in both validation RMSE "
        "and tree residual: from trial 00001 (RMSE 0.1000, residual 0.5000) to trial 00004 "
        "(RMSE 0.1300, residual 0.1000), 80.0 % less residual costs 30.0 % more RMSE."
    )
    assert published.endswith("is not on the front: 1 trial is as good or better in both.")
    assert limit == (
        "2 of 5 complete trials keep the limit of 0.25 on the tree residual, trial 00004 (RMSE "
        "0.1300, residual 0.1000) with the lowest RMSE; trial 00001 (RMSE 0.1000, residual "
        "0.5000) has a lower one and breaks it."
    )
    assert section.tables[0].rows == [
        ["00001", "simple_cnn", 0.10, 0.50, "broken"],
        ["00002", "simple_cnn", 0.11, 0.30, "broken"],
        ["00004", "simple_cnn", 0.13, 0.10, "kept"],
    ]


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        (0.05, "None of 5 complete trials keeps the limit of 0.05 on the tree residual."),
        (0.5, "5 of 5 complete trials keep the limit of 0.5 on the tree residual, among them"),
        (0.1, "1 of 5 complete trials keeps the limit of 0.1"),
    ],
)
def test_a_limit_that_all_or_none_keep_is_told(
    limit: float, expected: str, tmp_path: Path
) -> None:
    _, sentences = told(TRIALS, limit, tmp_path)
    assert sentences[-1].startswith(expected)


@pytest.mark.slow
def test_where_one_trial_is_best_in_both_the_goals_do_not_compete(tmp_path: Path) -> None:
    section, sentences = told([weighed(0, 0.1, 0.1), weighed(1, 0.2, 0.2)], None, tmp_path)
    assert sentences[0].endswith("among these trials the two goals do not compete.")
    assert sentences[1].endswith("is on the front.")
    assert [column.title for column in section.tables[0].columns][-1] == "tree residual"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("two", "limit", "there"), [(True, None, 1), (False, 0.3, 1), (False, None, 0)]
)
def test_the_report_tells_of_two_goals_where_there_are_two(
    two: bool, limit: float | None, there: int, tmp_path: Path
) -> None:
    results = StudyResults(
        "s", TRIALS, {}, noise_floor=0.05, two_objectives=two, max_tree_residual=limit
    )
    text = write_report(results, tmp_path).read_text()
    assert text.count(">RMSE against tree residual</h2>") == there
    assert len(list(tmp_path.glob("pareto.*"))) == 2 * there
    assert ("Pareto front" in (tmp_path / "findings.txt").read_text()) == bool(there)


def test_a_study_without_a_complete_trial_has_no_such_section(tmp_path: Path) -> None:
    results = StudyResults("s", [STOPPED], {}, noise_floor=0.05, two_objectives=True)
    assert pareto_section(results, tmp_path) is None
