"""A training run whose state and best weights stand in its trial's checkpoint folder."""

from pathlib import Path
from typing import Any

from search_spaces import config_from_values
from trainables.checkpoint import BEST, load_state, save_best, save_frozen, save_state
from trainables.galaxies.galaxy_file import Galaxies
from trainables.galaxies.split import Split
from trainables.training import TrainingRun, training_device
from trainables.trial_task import TrialTask


class StoredRun:
    """A trial's run, taken up where its folder says; `keep` after each epoch that it trained."""

    def __init__(self, task: TrialTask, galaxies: Galaxies, split: Split) -> None:
        """Build the run; OSError where the disk refuses, OutOfMemory where memory does."""
        device = training_device(task.uses_gpu)
        self.run = TrainingRun(config_from_values(task.config), galaxies, split, device)
        self._folder, self._known_epochs = Path(task.checkpoints), task.known_epochs
        self._frozen = save_frozen(self._folder.parent, self.run.frozen_weights())

    def resume(self) -> None:
        """Go on after the last checkpoint, where there is one."""
        state = load_state(self._folder, self.run.device)
        if state is None:
            (self._folder / BEST).unlink(missing_ok=True)  # of an epoch that was never reported
            return
        self.run.load_state(state)
        # a crash may have left a later epoch's
        save_best(self._folder, self.run.best_weights, self._frozen)

    def keep(self) -> None:
        """Store the state, and the weights if the last epoch was the best."""
        if self.run.best_epoch == self.run.epoch:
            save_best(self._folder, self.run.best_weights, self._frozen)
        save_state(self._folder, self.run.state())

    def reports(self) -> list[dict[str, Any]]:
        """A report for each epoch trained; `finished` in the last says why the run is over."""
        reports: list[dict[str, Any]] = [*self.run.reports]
        if reports and self.run.finished is not None:
            reports[-1] = {**reports[-1], "finished": self.run.finished}
        return reports

    def untold_reports(self) -> list[dict[str, Any]]:
        """Those of epochs that the study does not have, and the last in any case."""
        reports = self.reports()
        return reports[min(self._known_epochs, len(reports) - 1) :]
