"""A progress display for terminals: one line for each event of a search, on standard error."""

from rich.console import Console
from rich.markup import escape

from analysis.records import TrialRecord
from search_spaces.declaration import TrainingProtocol
from trainables.training import EpochReport

_COLOURS = {"complete": "green", "pruned": "yellow", "failed": "red"}


class SearchProgress:
    """A StudyObserver that prints one line for each event of a search on standard error.

    See `StudyObserver` for the arguments of the methods.

    console: the rich Console that prints.
    num_trials, epochs: number of trials of the study, and epochs of the longest trial; 0 before
        the study starts.
    num_ended: number of trials that have ended.
    best: lowest validation RMSE of a complete trial; None if no trial is complete.
    """

    def __init__(self, headline: str = "") -> None:
        """Take a headline to print when the study starts; empty for no headline."""
        self._headline = headline
        self.console = Console(stderr=True, highlight=False, soft_wrap=True)
        self.num_trials, self.epochs, self.num_ended = 0, 0, 0
        self.best: float | None = None
        self._paused: set[str] = set()

    def study_started(self, num_trials: int, num_epochs: int, ended: list[TrialRecord]) -> None:
        """Print the headline, and take count and best RMSE of the trials that have ended."""
        if self._headline:
            self.console.print(escape(self._headline))
        self.num_trials, self.epochs, self.num_ended = num_trials, num_epochs, len(ended)
        values = [r.val_rmse for r in ended if r.status == "complete" and r.val_rmse]
        self.best = min(values, default=None)

    def trial_started(self, trial_id: str, config: TrainingProtocol, published: bool) -> None:
        """Print that a trial starts, or that it goes on if it has paused in this run."""
        note = f", {config.word_for_defaults()} config" if published else ""
        begins = "goes on" if trial_id in self._paused else "starts"
        self._paused.discard(trial_id)
        self.console.print(f"[dim]trial {trial_id} {begins}: {config.architecture}{note}[/dim]")

    def epoch_reported(self, trial_id: str, report: EpochReport) -> None:
        """Print the validation RMSE of an epoch, and the seconds that the epoch took."""
        self.console.print(
            f"[dim]trial {trial_id} epoch {report.epoch}/{self.epochs} "
            f"validation RMSE {report.val_rmse:.4f}  {report.seconds:.1f} s[/dim]"
        )

    def trial_paused(self, trial_id: str, epoch: int) -> None:
        """Print after which epoch a trial pauses."""
        self._paused.add(trial_id)
        self.console.print(f"[dim]trial {trial_id} pauses after epoch {epoch}[/dim]")

    def trial_finished(self, record: TrialRecord) -> None:
        """Count a trial that has ended; print how it ended, and the best validation RMSE so far.

        The best RMSE is the lowest of the complete trials. It is not printed if no trial is
        complete.
        """
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
        """Print a sentence about the study as a whole."""
        self.console.print(escape(sentence))
