"""What the ledger of a study tells those who watch it."""

from collections.abc import Mapping
from typing import Any, Protocol

from analysis.trial_record import TrialRecord


class StudyObserver(Protocol):
    """Someone who is told what happens: the progress display, the W&B mirror."""

    def trial_started(self, trial_id: str, config: Mapping[str, Any], published: bool) -> None:
        """A trial was handed out, for the first time, or again after a pause or a resume."""

    def trial_paused(self, trial_id: str, epoch: int) -> None:
        """A trial pauses after an epoch; it may go on, or end there."""

    def epoch_reported(self, trial_id: str, report: Mapping[str, float]) -> None:
        """A new epoch stands in the curve."""

    def trial_finished(self, record: TrialRecord) -> None:
        """A trial's record is written."""

    def study_noted(self, sentence: str) -> None:
        """Something about the study as a whole was seen or decided."""
