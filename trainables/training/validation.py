"""The validation of a network after an epoch: its predictions, and the numbers of its report."""

import numpy as np
import torch
from numpy.typing import NDArray

from trainables.galaxies import Galaxies
from trainables.layers import GalaxyNetwork
from trainables.training.loss import ConstrainedLoss
from trainables.training.metrics import evaluate
from trainables.training.prediction import predict, predict_from_features, prediction_batch


class Validation:
    """The validation of one network on the same galaxies after each epoch.

    predicted: the vote fractions [V, 37] float32 of the last call of `report`; an empty array
        before the first call.
    """

    def __init__(
        self,
        network: GalaxyNetwork,
        loss: ConstrainedLoss,
        galaxies: Galaxies,
        rows: NDArray[np.int64],
        device: torch.device,
        *,
        features: NDArray[np.float32] | None,
    ) -> None:
        """Take the network and the galaxies; nothing is predicted.

        network, loss: both on `device`. rows: row numbers [V] in `galaxies`. features: the
        features [V, F] of a frozen backbone, or None if the network predicts from images.
        """
        self.predicted: NDArray[np.float32] = np.empty((0, 0), np.float32)
        self._network, self._loss, self._device = network, loss, device
        self._galaxies, self._rows, self._features = galaxies, rows, features
        self._batch = prediction_batch(network, device, of_features=features is not None)

    def report(self) -> dict[str, float]:
        """Return val_loss and every metric of `evaluate`, its name prefixed with `val_`.

        The network is left in evaluation mode. OutOfMemory is raised if memory does not hold one
        galaxy, ValueError if there is no galaxy to predict.
        """
        voted = self._galaxies.target[self._rows]
        self.predicted = self._predict()
        with torch.no_grad():
            penalty = self._loss(
                torch.from_numpy(self.predicted).to(self._device),
                torch.from_numpy(voted).to(self._device),
            )
            loss = float(penalty + self._network.regularisation())
        metrics = evaluate(self.predicted, voted)
        return {"val_loss": loss, **{f"val_{name}": value for name, value in metrics.items()}}

    def _predict(self) -> NDArray[np.float32]:
        """Return the network's vote fractions [V, 37] for the galaxies."""
        network, device, batch = self._network, self._device, self._batch
        if self._features is not None:
            return predict_from_features(network, self._features, device, batch)
        return predict(network, self._galaxies.images, device, self._rows, batch=batch)
