"""The messages to the process that writes a study's W&B runs; see `wandb_process`."""

from typing import Any

from analysis.records import TrialRecord
from trainables.training import EpochReport

Message = dict[str, Any]


def logging_message(trial_id: str, report: EpochReport) -> Message:
    """Return the message that logs an epoch, with its numbers as floats by name."""
    values = {name: float(value) for name, value in report.as_values().items()}
    return {"do": "log", "trial": trial_id, "report": values}


def closing_message(record: TrialRecord) -> Message:
    """Return the message that writes the summary of a trial and ends its run."""
    summary = {
        "status": record.status,
        "reason": record.reason,
        "best_epoch": record.best_epoch,
        "best_val_rmse": record.val_rmse,
        "best_tree_residual": record.tree_residual,
        "epochs": record.epochs,
        "device_seconds": record.device_seconds,
    }
    return {"do": "close", "trial": record.id, "summary": summary}
