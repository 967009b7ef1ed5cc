"""galaxytune's own search, run as a user runs it from Python."""

from pathlib import Path

import galaxytune
from analysis.records import TrialRecord
from benchmarks.real_search_parts.asked_search import AskedSearch
from benchmarks.real_search_parts.heard_search import HeardSearch
from search_spaces.declaration import TrainingProtocol
from trainables.training import EpochReport


class Listener:
    """An observer of a study that passes starts and epochs of trials to a HeardSearch."""

    def __init__(self, heard: HeardSearch) -> None:
        """Take the search to which everything is passed."""
        self._heard = heard

    def study_started(self, num_trials: int, num_epochs: int, ended: list[TrialRecord]) -> None:
        """Need nothing of the study."""

    def trial_started(self, trial_id: str, config: TrainingProtocol, published: bool) -> None:
        """Pass the trial's config."""
        self._heard.configs[int(trial_id)] = config.model_dump(mode="json")

    def trial_paused(self, trial_id: str, epoch: int) -> None:
        """Need nothing of a pause."""

    def epoch_reported(self, trial_id: str, report: EpochReport) -> None:
        """Pass the epoch."""
        self._heard.report(int(trial_id), report.epoch, report.val_rmse, report.seconds)

    def trial_finished(self, record: TrialRecord) -> None:
        """Need nothing of a trial's end."""

    def study_noted(self, sentence: str) -> None:
        """Print what the study says, for the log of the search."""
        print(sentence, flush=True)


def run_own_search(asked: AskedSearch, folder: Path, heard: HeardSearch) -> None:
    """Run the search in a local Ray; the study is written into `folder`."""
    galaxytune.search(
        asked.plan(),
        storage=folder,
        cluster=galaxytune.ClusterAddress(local_cpus=asked.workers),
        observers=[Listener(heard)],
    )
