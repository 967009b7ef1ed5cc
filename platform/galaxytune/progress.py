"""What a user sees while a search runs: a line an event, on standard error."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape

from analysis.trial_record import TrialRecord

_COLOURS = {"complete": "green", "pruned": "yellow", "failed": "red"}


class SearchProgress:
    """Prints trials as they start, report and end, with the best so far."""

    def __init__(self, num_trials: int, epochs: int, records: Mapping[str, TrialRecord]) -> None:
        """`records` are those that an earlier driver has left."""
        self.console = Console(stderr=True, highlight=False, soft_wrap=True)
        self.num_trials, self.epochs = num_trials, epochs
        self.num_ended = len(records)
        self._paused: set[str] = set()
        values = [r.val_rmse for r in records.values() if r.status == "complete" and r.val_rmse]
        self.best = min(values, default=None)

    def trial_started(self, trial_id: str, config: Mapping[str, Any], published: bool) -> None:
        """One line for a trial handed out."""
        note = ", published config" if published else ""
        begins = "goes on" if trial_id in self._paused else "starts"
        self._paused.discard(trial_id)
        self.console.print(f"[dim]trial {trial_id} {begins}: {config['architecture']}{note}[/dim]")

    def epoch_reported(self, trial_id: str, report: Mapping[str, float]) -> None:
        """One line for an epoch."""
        self.console.print(
            f"[dim]trial {trial_id} epoch {report['epoch']:.0f}/{self.epochs} "
            f"validation RMSE {report['val_rmse']:.4f}  {report['seconds']:.1f} s[/dim]"
        )

    def trial_paused(self, trial_id: str, epoch: int) -> None:
        """One line for a trial that pauses."""
        self._paused.add(trial_id)
        self.console.print(f"[dim]trial {trial_id} pauses after epoch {epoch}[/dim]")

    def trial_finished(self, record: TrialRecord) -> None:
        """One line for a trial's end, with the best so far."""
        self.num_ended += 1
        value = "" if record.val_rmse is None else f", validation RMSE {record.val_rmse:.4f}"
        if record.status == "complete" and record.val_rmse is not None:
            self.best = record.val_rmse if self.best is None else min(self.best, record.val_rmse)
        best = "" if self.best is None else f"; best so far {self.best:.4f}"
        self.console.print(
            f"[{_COLOURS[record.status]}]{self.num_ended}/{self.num_trials}[/] trial {record.id} "
            f"{record.architecture} {record.status} ({escape(record.reason)}){value}{best}"
        )

    def study_noted(self, sentence: str) -> None:
        """One line for what concerns the study as a whole."""
        self.console.print(escape(sentence))
