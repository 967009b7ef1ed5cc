"""Leaderboards: complete before pruned before failed, with a front, as JSON and as a table."""

import json
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from analysis.records import TrialRecord
from analysis.records.leaderboard import (
    Leaderboard,
    LeaderboardRow,
    best_trial,
    make_leaderboard,
    pareto_front,
    published_trial,
    ranked,
)
from search_spaces.declaration import InvalidInput
from tests.support.records import record

RECORDS = [
    record(0, None, status="failed"),
    record(1, 0.09, status="pruned"),
    record(2, 0.12, published=True),
    record(3, 0.10),
    record(4, 0.08, status="pruned"),
    record(5, 0.05, status="failed"),
    record(6, 0.10),
]
BEST_FIRST = ["00003", "00006", "00002", "00004", "00001", "00005", "00000"]


def test_complete_stands_before_pruned_before_failed_each_best_first() -> None:
    assert [r.id for r in ranked(RECORDS)] == BEST_FIRST
    assert [r.id for r in ranked(reversed(RECORDS))] == BEST_FIRST


def test_the_best_trial_is_complete() -> None:
    assert best_trial(RECORDS).id == "00003"


@pytest.mark.parametrize("records", [[], RECORDS[:2]])
def test_without_a_complete_trial_there_is_no_best(records: list[TrialRecord]) -> None:
    with pytest.raises(InvalidInput, match="no trial of this study is complete yet"):
        best_trial(records)


def test_the_published_trial_is_found_or_none() -> None:
    published = published_trial(RECORDS)
    assert published is not None and published.id == "00002"
    assert published_trial(RECORDS[:2]) is None


def test_rows_are_plain_values_and_failed_trials_have_no_rank() -> None:
    board = json.loads(json.dumps(make_leaderboard({"toy": RECORDS}).as_values()))
    assert board["study"] == "toy"
    rows = board["trials"]
    assert [row["id"] for row in rows] == BEST_FIRST
    assert [row["rank"] for row in rows] == [1, 2, 3, 4, 5, None, None]
    assert [row["val_rmse"] for row in rows] == [0.10, 0.10, 0.12, 0.08, 0.09, 0.05, None]
    assert rows[0]["tree_residual"] == 0.05 and rows[-1]["tree_residual"] is None
    assert rows[0]["config"] == RECORDS[3].config.model_dump(mode="json")


def test_the_json_of_a_leaderboard_has_a_schema_that_says_what_each_key_means() -> None:
    rows = LeaderboardRow.model_json_schema()["properties"]
    assert set(rows) == set(make_leaderboard({"toy": RECORDS}).as_values()["trials"][0])
    assert all(key["description"].endswith(".") for key in rows.values())


POINTS = [(0.10, 0.5), (0.11, 0.3), (0.12, 0.4), (0.13, 0.1), (0.14, 0.1)]


def weighed(points: Sequence[tuple[float, float]]) -> list[TrialRecord]:
    """Trials with these pairs of RMSE and tree residual."""
    return [record(i, rmse, residual=residual) for i, (rmse, residual) in enumerate(points)]


def test_the_front_is_marked_and_holds_complete_trials_alone() -> None:
    trials = [*weighed(POINTS), record(9, 0.01, residual=0.01, status="pruned")]
    assert [r.id for r in pareto_front(trials)] == ["00000", "00001", "00003"]
    rows = make_leaderboard({"s": trials}).trials
    assert [row.id for row in rows if row.pareto] == ["00000", "00001", "00003"]


def test_several_studies_are_ranked_as_one_with_one_front() -> None:
    board = make_leaderboard(
        {"a": weighed([(0.10, 0.5), (0.20, 0.4)]), "b": weighed([(0.10, 0.45)])}
    )
    assert board.study == "a, b"
    assert [(row.rank, row.study, row.id) for row in board.trials] == [
        (1, "a", "00000"),
        (2, "b", "00000"),
        (3, "a", "00001"),
    ]
    assert {(row.study, row.id) for row in board.trials if row.pareto} == {
        ("a", "00001"),
        ("b", "00000"),
    }


# as a DataFrame


def test_a_frame_has_a_row_a_trial_and_a_column_a_value() -> None:
    board = make_leaderboard({"toy": RECORDS})
    frame = board.to_frame()
    assert frame["id"].tolist() == BEST_FIRST
    own = [name for name in LeaderboardRow.model_fields if name != "config"]
    searched = [f"config.{name}" for name in type(RECORDS[0].config).model_fields]
    assert frame.columns.tolist() == [*own, *searched]
    assert frame["config.learning_rate"].tolist() == [1e-3] * 7


def test_ranks_are_whole_numbers_and_missing_for_failed_trials() -> None:
    frame = make_leaderboard({"toy": RECORDS}).to_frame()
    assert frame["rank"].dtype == pd.Int64Dtype()
    assert frame["rank"].tolist() == [1, 2, 3, 4, 5, pd.NA, pd.NA]
    failed = make_leaderboard({"toy": RECORDS[:1]}).to_frame()
    assert failed["rank"].dtype == pd.Int64Dtype() and failed["rank"].isna().all()


def test_numbers_of_a_frame_can_be_averaged() -> None:
    frame = make_leaderboard({"toy": RECORDS}).to_frame()
    assert frame["val_rmse"].dtype == np.float64
    assert frame["val_rmse"].mean() == pytest.approx(np.mean([0.09, 0.12, 0.10, 0.08, 0.05, 0.10]))


def test_a_value_that_another_architecture_lacks_is_missing() -> None:
    two = [record(0, 0.1), record(1, 0.2, architecture="parallel_cnn", kernel_l2=0.5)]
    frame = make_leaderboard({"toy": two}).to_frame()
    assert frame["config.kernel_l2"].isna().tolist() == [True, False]
    assert frame["config.dropout"].isna().tolist() == [False, True]


def test_a_frame_of_no_trials_has_the_columns_all_the_same() -> None:
    frame = Leaderboard(study="toy", trials=()).to_frame()
    assert len(frame) == 0 and frame["rank"].dtype == pd.Int64Dtype()
    assert frame.columns.tolist() == [n for n in LeaderboardRow.model_fields if n != "config"]


def test_the_published_trial_is_one_of_the_student_project_if_there_is_one() -> None:
    own = record(0, 0.10, published=True, architecture="residual_cnn")
    notebook = record(1, 0.12, published=True)
    assert published_trial([own, notebook]) is notebook
    assert published_trial([own]) is own
