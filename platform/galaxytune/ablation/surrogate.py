"""A model of the validation RMSE of any config, fitted to the complete trials of a study."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.records import TrialRecord
from galaxytune.sampling import GaussianProcess
from search_spaces.declaration import TrainingProtocol, hyperparameters, used_values

Array = NDArray[np.float64]
FEWEST_TRIALS = 10  # complete trials; with fewer, the priors of the process decide alone
_MOST_TRIALS = 250  # the time of a fit grows with the cube of their number
_NOT_IN_USE = 0.5  # the input for a number that a config does not use
_TAIL = 2.0  # an RMSE counts at most this many times as far above the median as the best is below
_LEAST_SCALE = 0.02  # smallest unit of the model, as a difference of logarithms of RMSEs
_DEVIATIONS_95 = 1.96  # half of a normal 95 % interval, in standard deviations


@dataclass(frozen=True)
class PredictedRmse:
    """A prediction for one config.

    median: the median of the validation RMSE.
    low, high: ends of the 95 % interval of the RMSE, without the noise of a single training.
    """

    median: float
    low: float
    high: float


class ConfigInputs:
    """The inputs by which the model knows a config: columns of numbers near 0..1.

    A number has one column, which is scaled to 0..1 over the given configs, by its logarithm if
    its declared range is logarithmic. Any other value has a column for each value that the given
    configs have. Fields that do not vary among the given configs have no column.

    num_columns: number C of columns.
    """

    def __init__(self, configs: Sequence[TrainingProtocol]) -> None:
        """Find the columns; configs: at least one config, all of one architecture."""
        rows = [_scalars(config) for config in configs]
        logarithmic = {
            entry
            for parameter in hyperparameters(type(configs[0]))
            for entry in parameter.entries()
            if getattr(parameter.distribution, "log", False)
        }
        self._numbers: dict[str, tuple[float, float, bool]] = {}  # low, high, by logarithm
        self._choices: list[tuple[str, Any]] = []
        for name in dict.fromkeys(name for row in rows for name in row):
            values = [row[name] for row in rows if name in row]
            if all(_is_number(value) for value in values):
                low, high = float(min(values)), float(max(values))
                if low < high:
                    self._numbers[name] = low, high, name in logarithmic and low > 0
            elif len(choices := list(dict.fromkeys(values))) > 1:
                self._choices += [(name, choice) for choice in choices]
        self.num_columns = len(self._numbers) + len(self._choices)

    def of(self, configs: Iterable[TrainingProtocol]) -> Array:
        """Return the inputs [N, C] of N configs; a number that a config does not use is 0.5."""
        return np.array([self._row(_scalars(config)) for config in configs], dtype=np.float64)

    def _row(self, values: dict[str, Any]) -> list[float]:
        """Return the C inputs of one config; values: what `_scalars` returns."""
        numbers = [
            _scaled(values[name], *scale) if name in values else _NOT_IN_USE
            for name, scale in self._numbers.items()
        ]
        return numbers + [float(values.get(name) == choice) for name, choice in self._choices]


def _scalars(config: TrainingProtocol) -> dict[str, Any]:
    """Return the values that a config uses, by name; each entry of a tuple has a name of its own.

    The names of the entries are FIELD.1, FIELD.2 and so on. The seed, and fields without a value,
    are left out.
    """
    found: dict[str, Any] = {}
    for name, value in used_values(config).items():
        if isinstance(value, tuple):
            found |= {f"{name}.{i}": entry for i, entry in enumerate(value, start=1)}
        elif value is not None and name != "seed":
            found[name] = value
    return found


def _is_number(value: Any) -> bool:
    """Return whether a value is an int or float; True and False are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _scaled(value: float, low: float, high: float, by_logarithm: bool) -> float:
    """Return the place of a number between `low` and `high`: 0 at `low`, 1 at `high`.

    With `by_logarithm`, the logarithms are compared; the number must then be above 0, else 0 is
    returned.
    """
    if not by_logarithm:
        return (value - low) / (high - low)
    return math.log(value / low) / math.log(high / low) if value > 0 else 0.0


class Surrogate:
    """A Gaussian process of the logarithm of the validation RMSE of configs of one architecture.

    num_trials: number of complete trials to which the process was fitted.
    """

    def __init__(self, records: Sequence[TrialRecord]) -> None:
        """Fit the process to complete trials of one architecture, at least one.

        Of more than 250 trials, 250 are taken that are spread evenly over the order of merit.
        numpy.linalg.LinAlgError is raised if the process cannot be fitted. ValueError is raised if
        no field varies among the trials.
        """
        order = sorted(records, key=lambda r: r.val_rmse or math.inf)
        rows = np.linspace(0, len(order) - 1, min(len(order), _MOST_TRIALS)).round()
        trials = [order[int(row)] for row in rows]
        self.num_trials = len(trials)
        configs = [record.config for record in trials]
        self._inputs = ConfigInputs(configs)
        if not self._inputs.num_columns:
            raise ValueError("the configs of the trials are too alike for a model")
        logs = np.log([record.val_rmse or math.nan for record in trials])
        middle = np.median(logs)
        logs = np.minimum(logs, middle + _TAIL * (middle - logs[0]))
        self._mean, self._scale = float(logs.mean()), max(float(logs.std()), _LEAST_SCALE)
        self._process = GaussianProcess(self._inputs.num_columns)
        self._process.fit(self._inputs.of(configs), (logs - self._mean) / self._scale, learn=True)

    def predict(self, configs: Sequence[TrainingProtocol]) -> list[PredictedRmse]:
        """Return the prediction for each config, in the given order."""
        mean, variance = self._process.predict(self._inputs.of(configs))
        spread = _DEVIATIONS_95 * np.sqrt(variance)
        low, middle, high = (
            np.exp(self._mean + self._scale * column)
            for column in (mean - spread, mean, mean + spread)
        )
        return [PredictedRmse(*map(float, row)) for row in zip(middle, low, high)]


def fitted_surrogate(records: Iterable[TrialRecord], architecture: str) -> Surrogate | None:
    """Return the model of the complete trials of an architecture; None if they are too few.

    records: trials, also of other architectures. At least 10 complete trials are needed. None is
    also returned if the trials are too alike, or if the model cannot be computed.
    """
    trials = [
        record
        for record in records
        if record.architecture == architecture and record.status == "complete" and record.val_rmse
    ]
    if len(trials) < FEWEST_TRIALS:
        return None
    try:
        return Surrogate(trials)
    except (np.linalg.LinAlgError, ValueError):
        return None
