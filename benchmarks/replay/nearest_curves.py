"""Curves for configs that were not recorded: that of the nearest recorded one, as it was."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmarks.replay.coordinates import Coordinates
from benchmarks.replay.recorded_curves import RecordedCurves
from benchmarks.replay.simulation import Curve


class NearestCurves:
    """No model and no chance: whoever proposes near a good recorded config has found it.

    Near is what lies close in coordinates, each weighed by how much the config's lowest RMSE
    follows it, if weights [C] are given.
    """

    def __init__(self, recorded: RecordedCurves, weights: Any = 1.0) -> None:
        """Keep the recording."""
        self._recorded = recorded
        self._coordinates = Coordinates(recorded.architecture)
        self._weights = np.asarray(weights)
        self._places = self._coordinates.matrix(recorded.configs)
        self.num_epochs = recorded.num_epochs
        self._median = float(np.nanmedian(recorded.seconds))

    def curve(self, config: Mapping[str, Any]) -> Curve:
        """The curve of the nearest recorded config."""
        apart = (self._places - self._coordinates.vector(config)) ** 2 * self._weights
        nearest = int(np.argmin(apart.sum(axis=1)))
        seconds = float(self._recorded.seconds[nearest])
        return Curve(self._recorded.rmse[nearest], seconds if seconds > 0 else self._median)
