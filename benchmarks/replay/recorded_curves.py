"""The learning curves that benchmarks/record_curves.py wrote, as arrays."""

import json
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution

from benchmarks.replay.search_plan import search_space
from search_spaces.declaration import InvalidInput

_PREFIX = "config."
_COLLAPSED = 1.25  # times the median of all lowest values: far outside how trained ones scatter


@dataclass(frozen=True)
class RecordedCurves:
    """Curves of N configs over E epochs, the published config first.

    configs: what is searched and in use, by Optuna's names without prefix. rmse: [N, E], the
    metric that was asked for, NaN from the epoch on in which a config diverged. seconds: [N], an
    epoch of it, the median over its epochs of processor time.
    """

    architecture: str
    configs: tuple[dict[str, Any], ...]
    rmse: NDArray[np.float64]
    seconds: NDArray[np.float64]

    def __len__(self) -> int:
        """The number of configs, N."""
        return len(self.configs)

    @property
    def num_epochs(self) -> int:
        """The length of a curve, E."""
        return self.rmse.shape[1]

    @cached_property
    def diverged(self) -> NDArray[np.bool_]:
        """[N], which configs have no last value."""
        found: NDArray[np.bool_] = np.isnan(self.rmse[:, -1])
        return found

    @cached_property
    def learned(self) -> NDArray[np.bool_]:
        """[N], which configs came to more than a constant answer."""
        lowest = np.where(self.diverged, np.inf, np.min(self.rmse, axis=1))
        found: NDArray[np.bool_] = lowest < _COLLAPSED * np.median(lowest)
        return found

    def part(self, chosen: NDArray[np.integer]) -> "RecordedCurves":
        """Some of the configs."""
        return replace(
            self,
            configs=tuple(self.configs[i] for i in chosen),
            rmse=self.rmse[chosen],
            seconds=self.seconds[chosen],
        )


def read_curves(path: Path, metric: str = "val_rmse") -> RecordedCurves:
    """Read a recording; `metric` names the column that is taken for the validation RMSE.

    InvalidInput in one line if the file is missing or holds something else.
    """
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise InvalidInput(f"{path} cannot be read: {' '.join(str(error).split())}") from None
    settings = json.loads((table.schema.metadata or {}).get(b"recording", b"{}"))
    missing = {"trial", "epoch", "cpu_seconds", metric} - set(table.column_names)
    if missing or "architecture" not in settings:
        lacks = ", ".join(sorted(missing)) or "the recording's settings"
        raise InvalidInput(f"{path} is no recording of record_curves.py: it lacks {lacks}")
    trials: dict[int, list[dict[str, Any]]] = {}
    for row in table.to_pylist():
        trials.setdefault(row["trial"], []).append(row)
    curves = np.full((len(trials), settings["epochs"]), np.nan)
    for curve, rows in zip(curves, trials.values()):
        for row in rows:
            curve[row["epoch"] - 1] = np.nan if row[metric] is None else row[metric]
    return RecordedCurves(
        architecture=settings["architecture"],
        configs=tuple(_config(rows[0], settings["architecture"]) for rows in trials.values()),
        rmse=curves,
        seconds=np.array([_seconds(rows) for rows in trials.values()]),
    )


def distributions(architecture: str) -> dict[str, BaseDistribution]:
    """Every searched scalar of an architecture, in use or not, with its distribution."""
    return {
        entry: parameter.distribution
        for parameter in search_space(architecture).hyperparameters
        for entry in parameter.entries()
    }


def _config(row: dict[str, Any], architecture: str) -> dict[str, Any]:
    known = distributions(architecture)
    return {
        name: _typed(row[_PREFIX + name], distribution)
        for name, distribution in known.items()
        if row.get(_PREFIX + name) is not None
    }


def _typed(value: Any, distribution: BaseDistribution) -> Any:
    """A value as Optuna draws it: the file has floats only."""
    if isinstance(distribution, CategoricalDistribution):
        return next(choice for choice in distribution.choices if choice == value)
    return int(value) if isinstance(distribution, IntDistribution) else value


def _seconds(rows: list[dict[str, Any]]) -> float:
    known = [row["cpu_seconds"] for row in rows if row["cpu_seconds"] is not None]
    return float(np.median(known)) if known else np.nan
