"""The configs of the trials that a study has drawn, and which of them train a further seed."""

from galaxytune.driver.optuna_journal import OptunaJournal
from galaxytune.sampling import drawn_as_published, drawn_config
from search_spaces.declaration import TrainingProtocol


class DrawnTrials:
    """The trials that a study has drawn, whose configs Optuna's journal holds.

    The methods raise KeyError if no trial with the id was drawn.

    further_seeds: the ids of the trials that train the config of an earlier trial of the search
        with another seed, in the order in which they were entered.
    """

    def __init__(self, journal: OptunaJournal) -> None:
        """Take the study's journal; `further_seeds` is empty at first (see `enter`)."""
        self._journal = journal
        self._known: dict[str, tuple[TrainingProtocol, bool]] = {}
        self.further_seeds: list[str] = []

    def enter(self, trial_id: str) -> None:
        """Add a trial to `further_seeds` if it trains a further seed."""
        if self.is_further_seed(trial_id):
            self.further_seeds.append(trial_id)

    def config(self, trial_id: str) -> TrainingProtocol:
        """Return the config of a trial."""
        return self._drawn(trial_id)[0]

    def is_published(self, trial_id: str) -> bool:
        """Return whether a trial has the published config of its architecture."""
        return self._drawn(trial_id)[1]

    def is_further_seed(self, trial_id: str) -> bool:
        """Return whether a trial trains the config of an earlier trial with another seed.

        The trials of a search itself have the plan's seed. A grid has no further seeds.
        """
        plan = self._journal.plan
        return not plan.grid and self.config(trial_id).seed != plan.seed

    def is_trained_whole(self, trial_id: str) -> bool:
        """Return whether halving never pauses a trial: a published config or a further seed."""
        return self.is_published(trial_id) or self.is_further_seed(trial_id)

    def _drawn(self, trial_id: str) -> tuple[TrainingProtocol, bool]:
        """Return the config of a trial, and whether the config is published."""
        if trial_id not in self._known:
            frozen = self._journal.frozen(trial_id)
            self._known[trial_id] = drawn_config(frozen), drawn_as_published(frozen)
        return self._known[trial_id]
