"""The whole report: which sections it has, and what it says of the outcome."""

from dataclasses import replace
from pathlib import Path

import pytest

from analysis.report.findings import FINDINGS, write_findings
from analysis.report.report import outcome_sentences, write_report
from analysis.report.sections import leaderboard_section
from analysis.report.study_results import StudyResults
from tests.support.records import curve, grid, record


@pytest.mark.slow
def test_hyperparameters_are_dropped_of_the_studied_architecture_alone(tmp_path: Path) -> None:
    trials = grid({0: 0, 1: 0.05})
    searched = [
        record(90 + i, 0.1 * i, architecture="parallel_cnn", learning_rate=10.0**-i)
        for i in (2, 3)
    ]
    results = StudyResults("mixed", [*trials, *searched], {}, noise_floor=0.05)
    text = write_report(results, tmp_path).read_text()
    assert ">One constraint coefficient: simple_cnn</h2>" in text
    assert ">Hyperparameters of parallel_cnn</h2>" in text
    assert "Hyperparameters of simple_cnn" not in text
    told = (tmp_path / "findings.txt").read_text().splitlines()
    assert told[-2].startswith("simple_cnn: By the true tree") and told[-2].endswith(".")


def test_a_grid_gained_nothing_by_searching() -> None:
    trials = grid({0: 0, 1: 0.05})
    worst = trials[-1].model_copy(update={"published": True})
    results = StudyResults("grid", [*trials[:-1], worst], {}, noise_floor=0.05)
    assert "published config" in " ".join(outcome_sentences(results))
    assert "published" not in " ".join(outcome_sentences(replace(results, only_grids=True)))


def test_a_published_config_beyond_the_limit_is_not_called_beaten() -> None:
    best = record(0, 0.1).model_copy(update={"feasible": True})
    published = record(1, 0.09, published=True).model_copy(update={"feasible": False})
    told = " ".join(outcome_sentences(StudyResults("s", [best, published], {}, noise_floor=0.05)))
    assert "reaches 0.0900, but it does not keep the limit" in told and "%" not in told


@pytest.mark.slow
def test_findings_of_trials_before_do_not_stay(tmp_path: Path) -> None:
    trials = grid({0: 0, 1: 0.05})
    curves = {t.id: curve([0.2, 0.1, 0.067]) for t in trials}
    assert write_findings("s", trials, curves, tmp_path)
    assert (tmp_path / FINDINGS).exists()
    assert write_findings("s", [record(0, 0.1), record(1, 0.2, width=0.5)], {}, tmp_path) == []
    assert not (tmp_path / FINDINGS).exists()


def test_further_seeds_are_reported_with_how_sure_the_best_config_is(tmp_path: Path) -> None:
    trials = [
        record(i, rmse, learning_rate=rate, seed=seed).model_copy(
            update={"further_seed": seed > 0}
        )
        for i, (rmse, rate, seed) in enumerate(
            [(0.100, 1e-3, 0), (0.101, 2e-3, 0), (0.106, 1e-3, 500), (0.102, 2e-3, 500)]
        )
    ]
    results = StudyResults("s", trials, {}, noise_floor=0.05)
    told = outcome_sentences(results)
    assert told[1].startswith("Best is trial 00001, ")
    assert told[2].startswith("Its config has a mean validation RMSE of 0.1015 over 2 seeds; the ")
    assert told[2].endswith(").")
    table = leaderboard_section(results, tmp_path).tables[0]
    place = [column.title for column in table.columns].index("seeds")
    assert [row[place : place + 2] for row in table.rows[:2]] == [
        [2, pytest.approx(0.1015)],
        [2, pytest.approx(0.103)],
    ]
