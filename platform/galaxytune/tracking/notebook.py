"""A progress display for Jupyter notebooks, which is redrawn in place."""

import sys
import time
from html import escape
from typing import Any

from analysis.records import TrialRecord
from galaxytune.tracking.observer import StudyObserver
from search_spaces.declaration import TrainingProtocol
from trainables.training import EpochReport

_SECONDS_BETWEEN_DRAWINGS = 0.3
_MOST_NOTES = 3


def in_notebook() -> bool:
    """Return whether this process is the kernel of a Jupyter notebook."""
    interactive = sys.modules.get("IPython")
    shell = interactive.get_ipython() if interactive is not None else None
    return "ipykernel" in sys.modules and hasattr(shell, "kernel")


def default_observers() -> list[StudyObserver]:
    """Return a list with a new progress display in a Jupyter notebook, and [] elsewhere."""
    return [NotebookProgress()] if in_notebook() else []


class NotebookProgress:
    """A StudyObserver that shows the progress of a study, and its best trial, in a notebook.

    The best trial is the complete trial with the lowest validation RMSE. See `StudyObserver` for
    the arguments of the methods.
    """

    def __init__(self) -> None:
        """Show nothing until the study starts."""
        self._handle: Any = None
        self._num_trials, self._num_epochs, self._num_ended = 0, 0, 0
        self._best: TrialRecord | None = None
        self._running: dict[str, str] = {}  # the last report of each running trial, as text
        self._notes: list[str] = []
        self._drawn = 0.0

    def study_started(self, num_trials: int, num_epochs: int, ended: list[TrialRecord]) -> None:
        """Show a new display below the running cell, and count the trials that have ended.

        What the object has shown before, of another run, is forgotten.
        """
        from IPython.display import HTML, display

        self._num_trials, self._num_epochs, self._num_ended = num_trials, num_epochs, 0
        self._best, self._running, self._notes = None, {}, []
        for record in ended:
            self._count(record)
        self._handle = display(HTML(self.html()), display_id=True)

    def trial_started(self, trial_id: str, config: TrainingProtocol, published: bool) -> None:
        """Add a trial to the running trials that are shown."""
        note = f", {config.word_for_defaults()} config" if published else ""
        self._running[trial_id] = f"{config.architecture}{note}"
        self._draw()

    def trial_paused(self, trial_id: str, epoch: int) -> None:
        """Remove a trial from the running trials."""
        self._running.pop(trial_id, None)
        self._draw()

    def epoch_reported(self, trial_id: str, report: EpochReport) -> None:
        """Show the number and the validation RMSE of a running trial's last epoch."""
        name = self._running.get(trial_id, "").partition(":")[0]
        told = f"epoch {report.epoch}/{self._num_epochs}, validation RMSE {report.val_rmse:.4f}"
        self._running[trial_id] = f"{name}: {told}"
        self._draw()

    def trial_finished(self, record: TrialRecord) -> None:
        """Count a trial that has ended, and remove it from the running trials."""
        self._running.pop(record.id, None)
        self._count(record)
        self._draw(now=self._num_ended == self._num_trials)

    def study_noted(self, sentence: str) -> None:
        """Show a sentence about the study as a whole; the last three sentences stay."""
        self._notes = [*self._notes, sentence][-_MOST_NOTES:]
        self._draw(now=True)

    def html(self) -> str:
        """Return the display as HTML: progress, best trial, running trials and last sentences."""
        lines = [
            f"<progress value='{self._num_ended}' max='{max(1, self._num_trials)}'></progress> "
            f"{self._num_ended} of {self._num_trials} trials ended"
        ]
        if self._best is not None:
            lines.append(
                f"best so far: trial {self._best.id}, {escape(self._best.architecture)}, "
                f"validation RMSE {self._best.val_rmse:.4f}"
            )
        lines += [f"trial {i}: {escape(told)}" for i, told in sorted(self._running.items())]
        return "<br>".join([*lines, *map(escape, self._notes)])

    def _count(self, record: TrialRecord) -> None:
        """Count a trial that has ended, and keep its record if it is the best complete trial."""
        self._num_ended += 1
        if record.status != "complete" or record.val_rmse is None:
            return
        if self._best is None or record.val_rmse < (self._best.val_rmse or 0.0):
            self._best = record

    def _draw(self, *, now: bool = False) -> None:
        """Redraw the display; at most every 0.3 s, unless `now` is True.

        Nothing is done before the study has started.
        """
        if self._handle is None:
            return
        if now or time.monotonic() - self._drawn > _SECONDS_BETWEEN_DRAWINGS:
            from IPython.display import HTML

            self._drawn = time.monotonic()
            self._handle.update(HTML(self.html()))
