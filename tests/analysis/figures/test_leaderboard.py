"""The leaderboard as a figure: drawn as picture and as PDF, unless there is nothing to draw."""

from pathlib import Path

import pytest

from analysis.figures.leaderboard import leaderboard_figure, save_leaderboard_figure
from search_spaces.declaration import InvalidInput
from tests.support.records import record


def test_the_figure_is_drawn_twice(tmp_path: Path) -> None:
    failed, finished = record(0, None, status="failed"), record(1, 0.12, published=True)
    stopped = record(2, 0.09, status="pruned")
    png = save_leaderboard_figure("toy", [failed, finished, stopped], tmp_path / "report")
    assert png.read_bytes().startswith(b"\x89PNG")
    assert png.with_suffix(".pdf").read_bytes().startswith(b"%PDF")


def test_without_an_epoch_there_is_nothing_to_draw() -> None:
    with pytest.raises(InvalidInput, match="^no ended trial has reported an epoch"):
        leaderboard_figure("s", [record(0, None, status="failed")])
