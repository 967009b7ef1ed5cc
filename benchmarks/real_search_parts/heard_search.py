"""What a driver hears of a search: each epoch's report with the moment at which it came."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass
class HeardSearch:
    """The reports and configs of one search, in the order in which the driver heard them.

    began: the moment at which the search began, by `time.monotonic`. reports: for each epoch the
    seconds since then, the trial's number by its first start, the epoch, the validation RMSE, and
    the seconds of training and validation. configs: each trial's config, by its number.
    """

    began: float
    reports: list[tuple[float, int, int, float, float]] = field(default_factory=list)
    configs: list[Mapping[str, Any]] = field(default_factory=list)
    _numbers: dict[str, int] = field(default_factory=dict)

    def start(self, trial_id: str, config: Mapping[str, Any]) -> None:
        """Note that a trial starts; nothing is noted if the trial has started before."""
        if trial_id not in self._numbers:
            self._numbers[trial_id] = len(self._numbers)
            self.configs.append(config)

    def report(self, trial_id: str, epoch: int, val_rmse: float, seconds: float) -> None:
        """Note the report of an epoch of a trial that has started."""
        now = time.monotonic() - self.began
        self.reports.append((now, self._numbers[trial_id], epoch, val_rmse, seconds))

    def as_values(self) -> dict[str, Any]:
        """Return the search as values of JSON, with the seconds until now."""
        return {
            "seconds": time.monotonic() - self.began,
            "reports": self.reports,
            "configs": self.configs,
        }
