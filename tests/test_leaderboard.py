"""What results mean: ranking, records on disk, intervals and the noise floor."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.figures.leaderboard import save_leaderboard_figure
from analysis.intervals import rmse_interval
from analysis.leaderboard import best_trial, leaderboard_rows, published_trial, ranked
from analysis.noise_floor import noise_floor
from analysis.trial_record import TrialRecord, json_lines, read_records
from trainables.simulation import simulate_galaxies


def record(name: str, status: str, val_rmse: float | None, **changes: Any) -> TrialRecord:
    validation = {"rmse": val_rmse, "tree_residual": 0.01}
    values = {
        "id": name,
        "architecture": "simple_cnn",
        "config": {"seed": 0},
        "published": False,
        "status": status,
        "reason": "all epochs trained",
        "best_epoch": 0 if val_rmse is None else 3,
        "metrics": {} if val_rmse is None else {"validation": validation},
        "epochs": 4,
        "device_seconds": 1.5,
        "wandb_run_id": None,
    }
    return TrialRecord.model_validate(values | changes)


RECORDS = [
    record("00000", "failed", None),
    record("00001", "pruned", 0.09),
    record("00002", "complete", 0.12, published=True),
    record("00003", "complete", 0.10),
    record("00004", "pruned", 0.08),
    record("00005", "failed", 0.05),
    record("00006", "complete", 0.10),
]
BEST_FIRST = ["00003", "00006", "00002", "00004", "00001", "00005", "00000"]


def test_complete_stands_before_pruned_before_failed_each_best_first() -> None:
    assert [r.id for r in ranked(RECORDS)] == BEST_FIRST
    assert [r.id for r in ranked(reversed(RECORDS))] == BEST_FIRST


def test_the_best_trial_is_complete() -> None:
    assert best_trial(RECORDS).id == "00003"


@pytest.mark.parametrize("records", [[], RECORDS[:2]])
def test_without_a_complete_trial_there_is_no_best(records: list[TrialRecord]) -> None:
    with pytest.raises(ValueError, match="no trial of this study is complete yet"):
        best_trial(records)


def test_the_published_trial_is_found_or_none() -> None:
    published = published_trial(RECORDS)
    assert published is not None and published.id == "00002"
    assert published_trial(RECORDS[:2]) is None


def test_rows_are_plain_values_and_failed_trials_have_no_rank() -> None:
    rows = json.loads(json.dumps(leaderboard_rows("toy", RECORDS)))
    assert [row["id"] for row in rows] == BEST_FIRST
    assert [row["rank"] for row in rows] == [1, 2, 3, 4, 5, None, None]
    assert [row["val_rmse"] for row in rows] == [0.10, 0.10, 0.12, 0.08, 0.09, 0.05, None]
    assert rows[0]["tree_residual"] == 0.01 and rows[-1]["tree_residual"] is None


def write(path: Path, records: list[TrialRecord]) -> str:
    text = "".join(r.model_dump_json() + "\n" for r in records)
    path.write_text(text)
    return text


def test_records_are_read_back_as_they_were(tmp_path: Path) -> None:
    write(tmp_path / "trials.jsonl", RECORDS)
    assert read_records(tmp_path / "trials.jsonl") == RECORDS
    assert read_records(tmp_path / "none.jsonl") == []


@pytest.mark.parametrize("cut", [1, 2, 50, 200])
def test_a_last_line_cut_short_is_left_out(cut: int, tmp_path: Path) -> None:
    text = write(tmp_path / "trials.jsonl", RECORDS)
    (tmp_path / "trials.jsonl").write_text(text[:-cut])
    kept = RECORDS if cut == 1 else RECORDS[:-1]  # 1: only the line's end is missing
    assert read_records(tmp_path / "trials.jsonl") == kept


def test_a_broken_line_in_the_middle_is_named(tmp_path: Path) -> None:
    path = tmp_path / "trials.jsonl"
    lines = write(path, RECORDS).splitlines()
    lines[2] = lines[2][:30]
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(ValueError, match=r"trials\.jsonl line 3 is not JSON"):
        read_records(path)


def test_a_line_that_is_no_record_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "trials.jsonl"
    path.write_text('{"id": "00000"}\n')
    assert json_lines(path) == [{"id": "00000"}]
    with pytest.raises(ValueError, match=r"trials\.jsonl holds something that is no trial rec"):
        read_records(path)


def test_the_figure_is_drawn_twice_from_any_records(tmp_path: Path) -> None:
    png = save_leaderboard_figure("toy", RECORDS, tmp_path / "report")
    assert png.read_bytes().startswith(b"\x89PNG")
    assert png.with_suffix(".pdf").read_bytes().startswith(b"%PDF")
    save_leaderboard_figure("toy", RECORDS[:1], tmp_path / "only failed")


def predictions(num_galaxies: int = 200) -> tuple[np.ndarray, np.ndarray]:
    chance = np.random.default_rng(0)
    voted = chance.random((num_galaxies, 37))
    spread = chance.uniform(0.02, 0.2, (num_galaxies, 1))  # some galaxies are harder
    return voted + spread * chance.normal(size=voted.shape), voted


def test_the_interval_holds_the_rmse_and_is_always_the_same() -> None:
    predicted, voted = predictions()
    low, high = rmse_interval(predicted, voted)
    assert low < np.sqrt(np.mean((predicted - voted) ** 2)) < high
    assert rmse_interval(predicted, voted) == (low, high)
    assert rmse_interval(predicted, voted, seed=1) != (low, high)


def test_the_interval_is_that_of_the_normal_approximation() -> None:
    predicted, voted = predictions()
    squares = ((predicted - voted) ** 2).mean(axis=1)
    half = 1.96 * squares.std(ddof=1) / np.sqrt(len(squares))
    expected = np.sqrt([squares.mean() - half, squares.mean() + half])
    assert rmse_interval(predicted, voted) == pytest.approx(tuple(expected), rel=0.02)


def test_equal_errors_leave_no_interval() -> None:
    voted = np.full((20, 37), 0.5)
    assert rmse_interval(voted + 0.1, voted) == pytest.approx((0.1, 0.1))


def test_less_confidence_narrows_the_interval() -> None:
    (low, high), (lower, higher) = (
        rmse_interval(*predictions(), confidence=c) for c in (0.5, 0.95)
    )
    assert lower < low < high < higher


def test_the_noise_floor_worked_by_hand() -> None:
    halves = np.full((3, 37), 0.5)
    assert noise_floor(halves, np.full(3, 26)) == pytest.approx(0.1)  # sqrt(.25 / 25)
    assert noise_floor(halves) == pytest.approx(0.5 / 43**0.5)  # 44 votes are assumed
    mixed = np.array([[0.5] * 37, [0.0] * 37])
    assert noise_floor(mixed, np.array([26, 44])) == pytest.approx(0.1 / 2**0.5)


def test_a_single_vote_gives_a_finite_floor() -> None:
    assert noise_floor(np.full((1, 37), 0.5), np.array([1])) == pytest.approx(0.5)


def test_the_noise_floor_is_the_rmse_of_the_true_probabilities() -> None:
    chance = np.random.default_rng(0)
    truth, votes = chance.random((2000, 37)), chance.integers(30, 61, 2000)
    fractions = chance.binomial(votes[:, None], truth) / votes[:, None]
    known = np.sqrt(np.mean((fractions - truth) ** 2))
    assert noise_floor(fractions, votes) == pytest.approx(known, rel=0.02)


def test_volunteers_who_agree_with_one_another_raise_the_real_floor() -> None:
    toys = simulate_galaxies(300, seed=4)
    known = np.sqrt(np.mean((toys.target - toys.probabilities) ** 2))
    most = np.sqrt(1 + 43 / 71)  # Dirichlet-multinomial: 1 + (votes - 1) / (concentration + 1)
    assert 1.1 < known / noise_floor(toys.target, toys.num_votes) < most
