"""The training of exported configs again, on more galaxies than the trials were trained on."""

from collections.abc import Callable
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from analysis.records import TrialRecord
from galaxytune.models.export_metrics import split_metrics
from galaxytune.models.trained_network import network_with_weights
from galaxytune.study import StudyFolder
from search_spaces.declaration import InvalidInput
from trainables.device import training_device
from trainables.galaxies import Galaxies
from trainables.layers import GalaxyNetwork
from trainables.training import predict, refit, refit_epochs

RefitRows = Literal["all", "not_test"]
"""The rows of a refit: those of training, validation and test, or all but those of test."""

_BEFORE, _AFTER = "the model before the refit", "the refitted model"


def checked_refit(refit: bool, rows: object) -> RefitRows | None:
    """Return the rows of the refit that was asked for, None for no refit; InvalidInput otherwise.

    rows: `all` or `not_test`; only `all`, the default, may stand without a refit.
    """
    for known in get_args(RefitRows):
        if rows == known:
            if not refit and known != "all":
                raise InvalidInput(f"the refit rows {known} need a refit (--refit)")
            return known if refit else None
    raise InvalidInput(f"the refit rows are {' or '.join(get_args(RefitRows))}, not {rows!r}")


class Refit:
    """The training of a study's configs on all rows of its split, or on all but the test rows."""

    def __init__(
        self,
        folder: StudyFolder,
        galaxies: Galaxies,
        rows: RefitRows,
        on_step: Callable[[str], None],
    ) -> None:
        """Take the study; nothing is trained.

        galaxies: the galaxies of the study's data file. rows: `all` trains on the galaxies of all
        three parts of the split, `not_test` on those of training and validation. A config that
        resamples draws galaxies whose votes resemble those of the validation and test part, or of
        the validation part alone for `not_test`, so that no vote of a test galaxy has an effect.
        on_step: is called with a sentence after each epoch.
        """
        split = folder.split_rows()
        held_out = [split.validation, split.test] if rows == "all" else [split.validation]
        self._resembled: NDArray[np.int64] = np.sort(np.concatenate(held_out))
        self._rows: NDArray[np.int64] = np.sort(np.concatenate([split.training, *held_out]))
        self._tested = split.test if rows == "not_test" else split.test[:0]
        self._galaxies, self._on_step = galaxies, on_step
        self._told: dict[str, Any] = {
            "rows": rows,
            "num_galaxies": len(self._rows),
            "epochs_by_trial": {},
            "metrics_are_of": {
                "validation": _BEFORE,
                "test": _AFTER if len(self._tested) else _BEFORE,
            },
        }

    def __call__(self, record: TrialRecord, name: str) -> GalaxyNetwork:
        """Train a trial's config and return its network, on the CPU and in evaluation mode.

        name: name of the trial, for the sentences and for `metrics_of`. The errors are those of
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
            resembled=self._resembled,
            num_epochs=num_epochs,
            on_epoch=tell,
        )
        self._told["epochs_by_trial"][name.removeprefix("trial ")] = num_epochs
        return network_with_weights(record.config, weights)

    def metrics_of(self, network: GalaxyNetwork) -> dict[str, Any]:
        """Return what the refit changes in metrics.json.

        network: the model after the refit, which is moved to the device of trainings. The key
        `refit` tells the `rows`, `num_galaxies`, `epochs_by_trial` and, for each part,
        `metrics_are_of`. The key `test` has the metrics of `network` for the test galaxies, if
        there are any and no network was trained on them; else the key is not there. OutOfMemory, a
        WorkFailed, is raised if memory does not hold a prediction.
        """
        if not len(self._tested):
            return {"refit": self._told}
        device = training_device()
        predicted = predict(network.to(device), self._galaxies.images, device, self._tested)
        test = split_metrics(predicted, self._galaxies.target[self._tested])
        return {"refit": self._told, "test": test}
