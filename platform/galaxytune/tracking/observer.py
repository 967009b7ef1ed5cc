"""The methods that a running study calls to report what happens."""

from typing import Protocol

from analysis.records import TrialRecord
from search_spaces.declaration import TrainingProtocol
from trainables.training import EpochReport


class StudyObserver(Protocol):
    """An object that is told what happens in a study, such as a progress display.

    All methods are called in the thread that runs the search. No method may take long, and none
    may raise an error: an OSError of a method is taken for a failure of the study's disk.
    """

    def study_started(self, num_trials: int, num_epochs: int, ended: list[TrialRecord]) -> None:
        """Note that a driver starts to run a study; called once, before all other methods.

        num_trials: number of trials of the study. num_epochs: epochs of the longest trial. ended:
        the records of the trials that have ended already, in the order of their ends; [] for a new
        study.
        """

    def trial_started(self, trial_id: str, config: TrainingProtocol, published: bool) -> None:
        """Note that a trial was handed out: for the first time, or after a pause or a resume.

        trial_id: the trial's number in the study, with leading zeros. config: the trial's config.
        published: whether the config is the published config of its architecture. A trial that is
        restarted because its worker was lost is not noted again.
        """

    def trial_paused(self, trial_id: str, epoch: int) -> None:
        """Note that a trial pauses after an epoch; the trial may go on later, or end there.

        epoch: the number of epochs that the trial has reported.
        """

    def epoch_reported(self, trial_id: str, report: EpochReport) -> None:
        """Note that a trial has reported a new epoch; each epoch of a trial is noted once.

        Epochs that an earlier driver noted are not noted again.
        """

    def trial_finished(self, record: TrialRecord) -> None:
        """Note that a trial has ended and that its record is written.

        record: the record, with the trial's id, status and reason. If an earlier driver started
        the trial, `trial_started` may not have been called.
        """

    def study_noted(self, sentence: str) -> None:
        """Note a sentence about the study as a whole, such as why the study ends.

        After Ctrl-C this method may be called while another method runs.
        """
