"""Trials with two objectives, and trials that must keep within a limit."""

from analysis.records.leaderboard import best_trial, pareto_front, ranked
from tests.support.records import record


def test_the_front_holds_what_no_other_beats_in_both() -> None:
    points = [(0.10, 0.5), (0.11, 0.3), (0.12, 0.4), (0.13, 0.1), (0.14, 0.1)]
    trials = [record(i, rmse, residual=residual) for i, (rmse, residual) in enumerate(points)]
    assert [r.id for r in pareto_front(trials)] == ["00000", "00001", "00003"]


def test_what_breaks_the_limit_stands_behind_what_keeps_it() -> None:
    broken = record(0, 0.1).model_copy(update={"feasible": False})
    kept = record(1, 0.2).model_copy(update={"feasible": True})
    assert [r.id for r in ranked([broken, kept])] == ["00001", "00000"]
    assert best_trial([broken, kept]).id == "00001"
