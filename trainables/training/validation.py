"""The validation of a network after an epoch: its predictions, and the numbers of its report."""

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from trainables.galaxies import Galaxies
from trainables.layers import GalaxyNetwork
from trainables.training.calibration import Calibration, calibration
from trainables.training.loss import ConstrainedLoss
from trainables.training.metrics import evaluate
from trainables.training.prediction import predict, predict_from_features, prediction_batch


class Validation:
    """The validation of one network on the same galaxies after each epoch.

    predicted: the vote fractions [V, 37] float32 of the last call of `report`; an empty array
        before the first call. If the validation calibrates, each galaxy's fractions are those of a
        calibration to the other galaxies (see `Calibration`).
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
        calibrates: bool = False,
    ) -> None:
        """Take the network and the galaxies; nothing is predicted.

        network, loss: both on `device`. rows: row numbers [V] in `galaxies`. features: the
        features [V, F] of a frozen backbone, or None if the network predicts from images.
        calibrates: True to calibrate the network's last layer to the galaxies in each report.
        """
        self.predicted: NDArray[np.float32] = np.empty((0, 0), np.float32)
        self._network, self._loss, self._device = network, loss, device
        self._galaxies, self._rows, self._features = galaxies, rows, features
        self._batch = prediction_batch(network, device, of_features=features is not None)
        self._calibrates = calibrates
        self._calibration: Calibration | None = None  # of the last report

    def report(self) -> dict[str, float]:
        """Return val_loss and every metric of `evaluate`, its name prefixed with `val_`.

        The network is left in evaluation mode. OutOfMemory is raised if memory does not hold one
        galaxy, ValueError if there is no galaxy to predict.
        """
        voted = self._galaxies.target[self._rows]
        if self._calibrates:
            self.predicted = self._predict_calibrated(torch.from_numpy(voted))
        else:
            self.predicted = self._predict()
        with torch.no_grad():
            penalty = self._loss(
                torch.from_numpy(self.predicted).to(self._device),
                torch.from_numpy(voted).to(self._device),
            )
            loss = float(penalty + self._network.regularisation())
        metrics = evaluate(self.predicted, voted)
        return {"val_loss": loss, **{f"val_{name}": value for name, value in metrics.items()}}

    def calibrated(self, weights: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return weights of the network by name, with the last layer calibrated.

        weights: the weights of the last report, the last layer's among them. Without a calibration
        `weights` itself is returned.
        """
        if self._calibration is None:
            return weights
        name, _ = self._network.vote_layer()
        weight, bias = f"{name}.weight", f"{name}.bias"
        scaled = self._calibration.of_layer(weights[weight], weights[bias])
        return weights | dict(zip((weight, bias), scaled))

    def _predict_calibrated(self, voted: Tensor) -> NDArray[np.float32]:
        """Return the network's vote fractions [V, 37], calibrated; keep the calibration.

        voted: vote fractions [V, 37] of the galaxies. Without a calibration, the network's own
        fractions are returned: a network that has diverged cannot be calibrated.
        """
        _, layer = self._network.vote_layer()
        outputs: list[Tensor] = []

        def keep(module: nn.Module, given: tuple[Tensor, ...], fractions: Tensor) -> None:
            outputs.append(F.linear(given[0].to(layer.weight), layer.weight, layer.bias))

        hook = layer.register_forward_hook(keep)
        try:
            predicted = self._predict()
        finally:
            hook.remove()
        # a batch that memory did not hold was begun again, from the first galaxy on
        last = torch.cat(outputs)[-len(predicted) :]
        self._calibration = None
        if not torch.isfinite(last).all():
            return predicted
        self._calibration = calibration(last, voted, layer.head)
        return self._calibration.predicted

    def _predict(self) -> NDArray[np.float32]:
        """Return the network's vote fractions [V, 37] for the galaxies."""
        network, device, batch = self._network, self._device, self._batch
        if self._features is not None:
            return predict_from_features(network, self._features, device, batch)
        return predict(network, self._galaxies.images, device, self._rows, batch=batch)
