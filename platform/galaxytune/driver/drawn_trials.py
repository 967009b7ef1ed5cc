"""The configs of the trials that a study has drawn, and which of them train a further seed."""

from typing import NamedTuple

from analysis.records import Origin
from galaxytune.driver.optuna_journal import OptunaJournal
from galaxytune.sampling import drawn_as_published, drawn_config, origin_of
from search_spaces.declaration import TrainingProtocol


class _Known(NamedTuple):
    """The config of a trial, whether the config is published, and where it comes from."""

    config: TrainingProtocol
    is_published: bool
    origin: Origin


class DrawnTrials:
    """The trials that a study has drawn, whose configs Optuna's journal holds.

    The methods raise KeyError if no trial with the id was drawn.

    further_seeds: the ids of the trials that train the config of an earlier trial of the search
        with another seed, in the order in which they were entered.
    """

    def __init__(self, journal: OptunaJournal) -> None:
        """Take the study's journal; `further_seeds` is empty at first (see `enter`)."""
        self._journal = journal
        self._known: dict[str, _Known] = {}
        self.further_seeds: list[str] = []

    def enter(self, trial_id: str) -> None:
        """Add a trial to `further_seeds` if it trains a further seed."""
        if self.is_further_seed(trial_id):
            self.further_seeds.append(trial_id)

    def config(self, trial_id: str) -> TrainingProtocol:
        """Return the config of a trial."""
        return self._drawn(trial_id).config

    def is_published(self, trial_id: str) -> bool:
        """Return whether a trial has the published config of its architecture."""
        return self._drawn(trial_id).is_published

    def origin(self, trial_id: str) -> Origin:
        """Return where the config of a trial comes from (see `TrialRecord.origin`)."""
        return self._drawn(trial_id).origin

    def is_further_seed(self, trial_id: str) -> bool:
        """Return whether a trial trains the config of an earlier trial with another seed.

        The trials of a search itself have the plan's seed. A grid has no further seeds.
        """
        plan = self._journal.plan
        return not plan.grid and self.config(trial_id).seed != plan.seed

    def is_trained_whole(self, trial_id: str) -> bool:
        """Return whether halving never pauses a trial: a published config or a further seed."""
        return self.is_published(trial_id) or self.is_further_seed(trial_id)

    def _drawn(self, trial_id: str) -> "_Known":
        """Return what is known of a trial that was drawn."""
        if trial_id not in self._known:
            frozen = self._journal.frozen(trial_id)
            config = drawn_config(frozen)
            self._known[trial_id] = _Known(config, drawn_as_published(frozen), origin_of(frozen))
        return self._known[trial_id]
