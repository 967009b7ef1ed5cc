"""A trial's record, worked out from its config and its curve once it has ended."""

from collections.abc import Mapping, Sequence
from typing import Any

from analysis.trial_record import TrialRecord
from galaxytune.study_plan import StudyPlan
from trainables.early_stopping import best_epoch


def make_record(
    plan: StudyPlan, config: dict[str, Any], curve: Sequence[Mapping[str, float]], **known: Any
) -> TrialRecord:
    """`known`: those fields of the record that say which trial it was and how it ended."""
    best = best_epoch(curve, config["early_stopping_metric"])
    seconds = sum(report["seconds"] for report in curve)
    micro_batch = int(curve[-1].get("micro_batch", 0)) if curve else 0
    return TrialRecord(
        **known,
        architecture=config["architecture"],
        config=config,
        best_epoch=best,
        metrics=_by_split(curve[best - 1]) if curve else {},
        epochs=len(curve),
        device_seconds=seconds * (plan.gpus_per_trial or plan.cpus_per_trial),
        feasible=_is_feasible(plan, curve[best - 1]) if curve else None,
        micro_batch=micro_batch if 0 < micro_batch < config["batch_size"] else None,
    )


def _is_feasible(plan: StudyPlan, report: Mapping[str, float]) -> bool | None:
    limit = plan.max_tree_residual
    return None if limit is None else report["val_tree_residual"] <= limit


def _by_split(report: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """{"val_rmse": x, "train_rmse": y} -> {"validation": {"rmse": x}, "train": {"rmse": y}}."""
    splits: dict[str, dict[str, float]] = {"train": {}, "validation": {}}
    for name, value in report.items():
        prefix, _, metric = name.partition("_")
        if prefix in ("train", "val"):
            splits["validation" if prefix == "val" else "train"][metric] = value
    return splits
