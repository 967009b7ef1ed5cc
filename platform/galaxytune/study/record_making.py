"""The record of a trial that has ended, made from the trial's config and curve."""

from typing import Any

from analysis.records import TrialRecord
from galaxytune.plan import StudyPlan
from search_spaces.declaration import TrainingProtocol
from trainables.training import Curve, EpochReport, best_epoch


def make_record(
    plan: StudyPlan, config: TrainingProtocol, curve: Curve, **known: Any
) -> TrialRecord:
    """Return the record of a trial that has ended after the epochs of `curve`.

    plan: gives the trial's share of a device and the limit of the tree residual. curve: may be
    empty; the record then has no metrics, and `best_epoch` is 0. known: the other fields of
    TrialRecord: id, published, status and reason, perhaps also wandb_run_id, retries,
    config_failed and further_seed.
    """
    best = best_epoch(curve, config.early_stopping_metric)
    seconds = sum(report.seconds for report in curve)
    micro_batch = (curve[-1].micro_batch or 0) if curve else 0
    return TrialRecord(
        **known,
        architecture=config.architecture,
        config=config,
        best_epoch=best,
        metrics=_by_part(curve[best - 1]) if curve else {},
        epochs=len(curve),
        device_seconds=seconds * (plan.gpus_per_trial or plan.cpus_per_trial),
        feasible=_is_feasible(plan, curve[best - 1]) if curve else None,
        micro_batch=micro_batch if 0 < micro_batch < config.batch_size else None,
    )


def _is_feasible(plan: StudyPlan, report: EpochReport) -> bool | None:
    """Return whether an epoch's tree residual keeps the plan's limit; None without a limit."""
    limit = plan.max_tree_residual
    return None if limit is None else report.val_tree_residual <= limit


def _by_part(report: EpochReport) -> dict[str, dict[str, float]]:
    """Return the metrics of an epoch by part: `{"train": {"rmse": x}, "validation": {...}}`.

    The names of the metrics are those of `EpochReport.as_values`, without `train_` and `val_`.
    """
    parts: dict[str, dict[str, float]] = {"train": {}, "validation": {}}
    for name, value in report.as_values().items():
        prefix, _, metric = name.partition("_")
        if prefix in ("train", "val"):
            parts["validation" if prefix == "val" else "train"][metric] = value
    return parts
