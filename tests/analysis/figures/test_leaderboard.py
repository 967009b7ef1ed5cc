"""The leaderboard as a figure: drawn as picture and as PDF, of failed trials alone too."""

from pathlib import Path

from analysis.figures.leaderboard import save_leaderboard_figure
from tests.support.records import record


def test_the_figure_is_drawn_twice_from_any_records(tmp_path: Path) -> None:
    failed, finished = record(0, None, status="failed"), record(1, 0.12, published=True)
    stopped = record(2, 0.09, status="pruned")
    png = save_leaderboard_figure("toy", [failed, finished, stopped], tmp_path / "report")
    assert png.read_bytes().startswith(b"\x89PNG")
    assert png.with_suffix(".pdf").read_bytes().startswith(b"%PDF")
    save_leaderboard_figure("toy", [failed], tmp_path / "only failed")
