"""Classes that keep Ray Tune from printing, because the study's observers report.

With `verbose=0` Tune's newer output still prints a table when a run begins and ends and a line for
each error. Tune's older output still shows every result in a notebook. The environment variable
RAY_AIR_NEW_OUTPUT in galaxytune.cluster.connection selects the older output; the classes here
replace the two parts of that output.
"""

from typing import Any

from ray.tune import ProgressReporter  # noqa: TID251  an extension point of Ray Tune
from ray.tune.progress_reporter import TrialProgressCallback  # noqa: TID251


class SilentReporter(ProgressReporter):
    """Progress reporter for Ray Tune that prints nothing in a terminal or a notebook."""

    def should_report(self, trials: list[Any], done: bool = False) -> bool:
        """Return False, because there is nothing to report."""
        return False

    def report(self, trials: list[Any], done: bool, *sys_info: Any) -> None:
        """Do nothing."""


class SilentCallback(TrialProgressCallback):
    """Callback for Ray Tune that shows no result in a notebook."""

    def log_result(self, trial: Any, result: Any, error: bool = False) -> None:
        """Do nothing when a trial reports."""

    def on_trial_complete(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        """Do nothing when a trial ends."""
