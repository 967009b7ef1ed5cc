"""The report's section on the path from published to best, in all of its forms."""

from pathlib import Path

import pytest

from analysis.records.ablation import Ablation
from analysis.report.ablation_section import ablation_sections
from analysis.report.report import write_report
from analysis.report.study_results import StudyResults
from tests.support.ablations import predicted, trained
from tests.support.records import record


def results(**ablations: Ablation | str) -> StudyResults:
    trials = [record(0, 0.1, published=True), record(7, 0.07, learning_rate=0.0031234)]
    studies = {name: trials for name in ablations} if len(ablations) > 1 else {}
    return StudyResults("s", trials, {}, noise_floor=0.05, ablations=ablations, studies=studies)


def test_a_trained_path_has_its_table_and_its_figure(tmp_path: Path) -> None:
    (section,) = ablation_sections(results(s=trained()), tmp_path)
    assert section.title == "From published to best (trained)"
    rows = section.tables[0].rows
    assert [row[2] for row in rows] == [0.1, 0.08, 0.09, 0.07]
    assert [row[5] for row in rows] == [None, *(pytest.approx(x) for x in (20, -10, 20))]
    assert rows[2][1] == "optimizer: adam → adamw; weight_decay: not used → 0.02"
    assert section.tables[0].columns[2].title == "val RMSE"
    assert (tmp_path / "ablation.png").exists() and (tmp_path / "ablation.pdf").exists()


def test_a_predicted_path_is_called_predicted(tmp_path: Path) -> None:
    (section,) = ablation_sections(results(s=predicted()), tmp_path)
    assert section.title == "From published to best (predicted)"
    assert "predicted by the study's model" in " ".join(section.paragraphs)
    assert section.tables[0].columns[2].title == "predicted val RMSE"
    assert section.tables[0].rows[1][3:5] == [pytest.approx(0.07), pytest.approx(0.09)]


def test_a_study_without_a_path_says_why(tmp_path: Path) -> None:
    (section,) = ablation_sections(results(s="Too few trials."), tmp_path)
    assert section.paragraphs == ("Too few trials.",) and not section.pictures
    assert not list(tmp_path.iterdir())


def test_a_path_without_any_training_has_no_figure(tmp_path: Path) -> None:
    (section,) = ablation_sections(results(s=trained((None,) * 4)), tmp_path)
    assert section.paragraphs[-1] == "No training of the path was completed."
    assert not section.pictures and len(section.tables) == 1


@pytest.mark.slow
def test_each_study_of_a_report_has_its_own_path(tmp_path: Path) -> None:
    two = results(s=trained(), t=predicted().model_copy(update={"study": "t"}))
    titles = [section.title for section in ablation_sections(two, tmp_path)]
    assert titles == [
        "From published to best: s (trained)",
        "From published to best: t (predicted)",
    ]
    assert {p.name for p in tmp_path.glob("*.png")} == {"ablation_s.png", "ablation_t.png"}


@pytest.mark.slow
def test_the_page_has_the_section(tmp_path: Path) -> None:
    text = write_report(results(s=trained()), tmp_path).read_text()
    assert ">From published to best (trained)</h2>" in text
