"""The training of exported configs again, on all galaxies with votes."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.records import TrialRecord
from galaxytune.models.trained_network import network_with_weights
from galaxytune.study import StudyFolder
from trainables.device import training_device
from trainables.galaxies import Galaxies
from trainables.layers import GalaxyNetwork
from trainables.training import refit, refit_epochs


class Refit:
    """The training of a study's configs on the galaxies of all three parts of its split.

    metrics: what metrics.json says about the trainings so far: `num_galaxies`, `epochs_by_trial`
        and `metrics_are_of`.
    """

    def __init__(
        self, folder: StudyFolder, galaxies: Galaxies, on_step: Callable[[str], None]
    ) -> None:
        """Take the study; nothing is trained.

        galaxies: the galaxies of the study's data file. on_step: is called with a sentence after
        each epoch.
        """
        parts = folder.split_rows().parts().values()
        self._rows: NDArray[np.int64] = np.sort(np.concatenate(list(parts)))
        self._galaxies, self._on_step = galaxies, on_step
        self.metrics: dict[str, Any] = {
            "num_galaxies": len(self._rows),
            "epochs_by_trial": {},
            "metrics_are_of": "the model before the refit",
        }

    def __call__(self, record: TrialRecord, name: str) -> GalaxyNetwork:
        """Train a trial's config and return its network, on the CPU and in evaluation mode.

        name: name of the trial, for the sentences and for `metrics`. The errors are those of
        `refit`.
        """
        num_epochs = refit_epochs(record.config, record.best_epoch)

        def tell(epoch: int, rmse: float) -> None:
            """Pass a sentence on an epoch to the caller."""
            self._on_step(f"refit of {name}: epoch {epoch}/{num_epochs}, training RMSE {rmse:.4f}")

        weights = refit(
            record.config,
            self._galaxies,
            self._rows,
            training_device(),
            num_epochs=num_epochs,
            on_epoch=tell,
        )
        self.metrics["epochs_by_trial"][name.removeprefix("trial ")] = num_epochs
        return network_with_weights(record.config, weights)
