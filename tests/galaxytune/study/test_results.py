"""What a study, or several studies together, have found."""

from pathlib import Path

import pytest

from galaxytune.study.folder import StudyFolder
from galaxytune.study.results import leaderboard_of
from search_spaces.declaration.errors import InvalidInput
from tests.support.records import record


def test_studies_together_have_one_front(tmp_path: Path) -> None:
    for name, points in {"a": [(0.10, 0.5), (0.20, 0.4)], "b": [(0.10, 0.45)]}.items():
        (tmp_path / name).mkdir()
        trials = [record(i, rmse, residual=residual) for i, (rmse, residual) in enumerate(points)]
        lines = "".join(f"{trial.model_dump_json()}\n" for trial in trials)
        (tmp_path / name / "trials.jsonl").write_text(lines)
    board = leaderboard_of([StudyFolder(tmp_path / name) for name in "ab"])
    front = {(row.study, row.id) for row in board.trials if row.pareto}
    assert front == {("a", "00001"), ("b", "00000")}


def test_studies_of_one_name_are_not_ranked_together(tmp_path: Path) -> None:
    twins = [StudyFolder(tmp_path / storage / "s") for storage in "ab"]
    with pytest.raises(InvalidInput, match="^2 studies with the name 's' were given; "):
        leaderboard_of(twins)
    with pytest.raises(InvalidInput, match="^no study was given"):
        leaderboard_of([])
