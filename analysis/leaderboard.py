"""Trials in order of merit: fully trained ones first, each group by validation RMSE."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from analysis.trial_record import TrialRecord

_ORDER = {"complete": 0, "pruned": 1, "failed": 2}


def ranked(records: Iterable[TrialRecord]) -> list[TrialRecord]:
    """Best first. A pruned trial never stands above a complete one: it was not trained to the end.

    Nor does one that breaks the study's limit on the tree residual stand above one that keeps
    it. Ties are broken by id, so that the order is always the same.
    """

    def merit(record: TrialRecord) -> tuple[int, bool, float, str]:
        value = math.inf if record.val_rmse is None else record.val_rmse
        return _ORDER[record.status], record.feasible is False, value, record.id

    return sorted(records, key=merit)


def best_trial(records: Iterable[TrialRecord]) -> TrialRecord:
    """The best complete trial; ValueError if none is complete."""
    order = ranked(records)
    if not order or order[0].status != "complete":
        raise ValueError("no trial of this study is complete yet")
    return order[0]


def both_objectives(record: TrialRecord) -> tuple[float, float] | None:
    """Validation RMSE and tree residual of a complete trial; None of any other."""
    if record.status != "complete" or record.val_rmse is None or record.tree_residual is None:
        return None
    return record.val_rmse, record.tree_residual


def pareto_front(records: Iterable[TrialRecord]) -> list[TrialRecord]:
    """Complete trials that no other beats in RMSE and tree residual both, lowest RMSE first."""
    values = [(both, record.id, record) for record in records if (both := both_objectives(record))]
    front: list[TrialRecord] = []
    least = math.inf
    for (_, residual), _, record in sorted(values, key=lambda value: value[:2]):
        if residual < least:
            front.append(record)
            least = residual
    return front


def published_trial(records: Iterable[TrialRecord]) -> TrialRecord | None:
    """The best complete trial with a published config, or None."""
    published = [r for r in ranked(records) if r.published and r.status == "complete"]
    return published[0] if published else None


def leaderboard_rows(study: str, records: Sequence[TrialRecord]) -> list[dict[str, Any]]:
    """The leaderboard as plain values, best first; failed trials have rank None."""
    front = {record.id for record in pareto_front(records)}
    return [
        {
            "rank": None if record.status == "failed" else rank,
            "study": study,
            "id": record.id,
            "architecture": record.architecture,
            "status": record.status,
            "published": record.published,
            "val_rmse": record.val_rmse,
            "best_epoch": record.best_epoch,
            "epochs": record.epochs,
            "tree_residual": record.tree_residual,
            "pareto": record.id in front,
            "feasible": record.feasible,
            "device_seconds": record.device_seconds,
            "reason": record.reason,
            "config": record.config,
        }
        for rank, record in enumerate(ranked(records), start=1)
    ]
