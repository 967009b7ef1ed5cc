"""What a driver hears of a search: each epoch's report with the moment at which it came."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass
class HeardSearch:
    """The reports and configs of one search, in the order in which the driver heard them.

    began: the moment at which the search began, by `time.monotonic`. reports: for each epoch the
    seconds since then, the trial's number, the epoch, the validation RMSE, and the seconds of
    training and validation. configs: the config of each trial, by the trial's number, which counts
    the trials from 0 in the order in which they were proposed.
    """

    began: float
    reports: list[tuple[float, int, int, float, float]] = field(default_factory=list)
    configs: dict[int, Mapping[str, Any]] = field(default_factory=dict)

    def report(self, trial: int, epoch: int, val_rmse: float, seconds: float) -> None:
        """Note the report of an epoch of a trial."""
        self.reports.append((time.monotonic() - self.began, trial, epoch, val_rmse, seconds))

    def as_values(self) -> dict[str, Any]:
        """Return the search as values of JSON, with the seconds until now."""
        return {
            "seconds": time.monotonic() - self.began,
            "reports": self.reports,
            "configs": self.configs,
        }
