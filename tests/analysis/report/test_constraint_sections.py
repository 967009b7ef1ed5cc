"""The sections on coefficients: figures, tables and sentences, of trials that can tell them."""

from pathlib import Path

import pandas as pd
import pytest

from analysis.records import TrialRecord
from analysis.report.constraint_sections import CoefficientFinding, coefficient_findings
from analysis.statistics.coefficient_effects import FEWEST_TRIALS
from tests.support.records import coefficients_by_question, curve, grid, record


def found(
    trials: list[TrialRecord], folder: Path, **studies: list[TrialRecord]
) -> list[CoefficientFinding]:
    curves = {t.id: curve([0.2, 0.1, 0.067]) for t in trials}
    return coefficient_findings({"one": trials, **studies}, curves, folder)


@pytest.mark.slow
def test_figure_tables_and_sentence_are_left_in_the_folder(tmp_path: Path) -> None:
    (finding,) = found(grid({0: 0, 0.1: 0.01, 1: 0.05}), tmp_path)
    assert finding.sentences[0].startswith("By the true tree")
    names = {p.name for p in tmp_path.iterdir()}
    assert {"constraint_coefficient.png", "constraint_coefficient.pdf"} <= names
    assert {"constraint_curves.png", "constraint_curves.pdf"} <= names
    table = pd.read_csv(tmp_path / "constraint_coefficient.csv")
    assert len(table) == 9 and set(table["coefficient"]) == {0, 0.1, 1}
    summary = pd.read_csv(tmp_path / "constraint_coefficient_summary.csv")
    assert list(summary["num_pairs"]) == [0, 3, 3]


@pytest.mark.slow
def test_a_study_among_others_keeps_its_finding_and_is_named(tmp_path: Path) -> None:
    trials = grid({0: 0, 1: 0.05})
    other = [record(90 + i, 0.1, learning_rate=10.0**-i) for i in (2, 3)]
    (finding,) = found(trials, tmp_path, other=other)
    assert finding.section.title == "One constraint coefficient: study one"
    assert finding.sentences[0].startswith("study one: By the true tree")
    assert finding.trial_ids == {t.id for t in trials}
    assert (tmp_path / "constraint_coefficient_study_one.csv").exists()


@pytest.mark.slow
def test_seeds_of_two_studies_are_read_together(tmp_path: Path) -> None:
    trials = grid({0: 0, 1: 0.05}, 4)
    halves = [[t for t in trials if t.config.seed % 2 == odd] for odd in (0, 1)]
    (finding,) = found(halves[0], tmp_path, other=halves[1])
    assert "over 4 pairs" in finding.sentences[0]


@pytest.mark.slow
def test_too_few_trials_are_told_and_drawn_without_effects(tmp_path: Path) -> None:
    (finding,) = found(coefficients_by_question(FEWEST_TRIALS - 1), tmp_path)
    assert "too few" in finding.sentences[0]
    assert {p.name for p in tmp_path.iterdir()} == {
        "eleven_coefficients.png",
        "eleven_coefficients.pdf",
    }


@pytest.mark.slow
def test_effects_are_drawn_and_tabled(tmp_path: Path) -> None:
    (finding,) = found(coefficients_by_question(40), tmp_path)
    assert (tmp_path / "coefficient_effects.pdf").exists()
    assert [row[0] for row in finding.section.tables[0].rows] == list(range(1, 12))


def test_one_trial_with_eleven_coefficients_in_a_search_is_no_finding(tmp_path: Path) -> None:
    trials = [record(90 + i, 0.1, learning_rate=10.0**-i) for i in (2, 3)]
    assert found([*trials, *coefficients_by_question(1)], tmp_path) == []
