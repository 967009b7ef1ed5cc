"""A training run whose state and best weights are stored in its trial's checkpoint folder."""

from pathlib import Path
from typing import Any

from search_spaces.declaration import config_from_values
from trainables.device import memory_share, training_device, within_memory
from trainables.files import (
    BEST,
    drop_predictions,
    load_state,
    save_best,
    save_frozen,
    save_predictions,
    save_state,
)
from trainables.galaxies import Galaxies, Split
from trainables.training import TrainingRun
from trainables.trial.task import TrialTask


class StoredRun:
    """A trial's training run, with its checkpoints.

    Call `resume` first, and `keep` after each epoch.

    run: the training run, on the GPU if the task uses a GPU and there is one, else on the CPU.
    """

    def __init__(self, task: TrialTask, galaxies: Galaxies, split: Split) -> None:
        """Build the run of a task, without training.

        split: the rows of `galaxies` for training and validation. Frozen weights are stored once
        for all trials, in the folder `frozen` beside the trials' folders. Nothing is read from the
        trial's folder. OSError is raised if a file cannot be written, OutOfMemory if memory does
        not hold the network, and InvalidInput if the config is wrong or its pretrained weights
        cannot be loaded.
        """
        device = training_device(task.uses_gpu)
        self.run = TrainingRun(
            config_from_values(task.config),
            galaxies,
            split,
            device,
            memory_share=memory_share(task.num_cpus),
        )
        self._folder, self._known_epochs = Path(task.checkpoints), task.known_epochs
        self._frozen = save_frozen(self._folder.parent, self.run.frozen_weights())

    def resume(self) -> None:
        """Load the last checkpoint, so that the run continues after it.

        The best weights in the trial's folder, and what these predict, are written again from the
        checkpoint. Without a checkpoint the run begins at epoch 1, and both are deleted. A damaged
        checkpoint counts as none and is renamed (see `load_state`). OSError is raised if a file
        cannot be read or written.
        """
        state = within_memory(
            lambda: load_state(self._folder, self.run.device), "the checkpoint of the trial"
        )
        if state is None:
            (self._folder / BEST).unlink(missing_ok=True)  # from an unreported epoch
            drop_predictions(self._folder)
            return
        self.run.load_state(state)
        self._keep_best()  # again, because a crash may have left those of a later epoch

    def keep(self) -> None:
        """Store the state of the run, and its best weights if the last epoch is the best.

        What the best weights predict for the validation galaxies is stored with them. The trial's
        folder is made if it does not exist. OSError is raised if a file cannot be
        written.
        """
        if self.run.best_epoch == self.run.epoch:
            self._keep_best()
        save_state(self._folder, self.run.state())

    def _keep_best(self) -> None:
        """Write the best weights, and their predictions unless the run was resumed without any.

        Earlier predictions are deleted before the weights are replaced, so that a crash leaves no
        predictions of other weights. OSError is raised if a file cannot be written.
        """
        drop_predictions(self._folder)
        save_best(self._folder, self.run.best_weights, self._frozen)
        if self.run.best_predictions is not None:
            save_predictions(self._folder, self.run.best_predictions)

    def reports(self) -> list[dict[str, Any]]:
        """Return the report of each epoch trained, as values by name; [] before the first epoch.

        If the run is over, the last report also holds `finished`, the reason as text.
        """
        reports: list[dict[str, Any]] = [report.as_values() for report in self.run.reports]
        if reports and self.run.finished is not None:
            reports[-1] = {**reports[-1], "finished": self.run.finished}
        return reports

    def untold_reports(self) -> list[dict[str, Any]]:
        """Return the reports that the study lacks, and in any case the last report.

        The study has the reports of the first `known_epochs` epochs of the task. The reports are
        in the form of `reports`. The list is empty before the first epoch.
        """
        reports = self.reports()
        return reports[min(self._known_epochs, len(reports) - 1) :]
