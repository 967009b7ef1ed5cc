"""Trials with two goals, of which the Pareto front is known."""

from analysis.records import TrialRecord
from tests.support.records import record

# RMSE and tree residual; the first is published, the front is 1, 2 and 4
POINTS = [(0.12, 0.40), (0.10, 0.50), (0.11, 0.30), (0.14, 0.20), (0.13, 0.10)]


def weighed(number: int, rmse: float, residual: float) -> TrialRecord:
    """Return a complete trial with this RMSE and tree residual; trial 0 is published."""
    return record(number, rmse, residual=residual, published=number == 0)


TRIALS = [weighed(number, *point) for number, point in enumerate(POINTS)]
STOPPED = record(9, 0.01, residual=0.01, status="pruned")
