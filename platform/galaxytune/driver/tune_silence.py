"""Classes that keep Ray Tune from printing, because the study's observers report instead.

With `verbose=0` Tune's newer output still prints a table when a run begins and ends and a line for
each error. Tune's older output still shows results in a notebook. galaxytune.cluster.connection
sets the environment variable RAY_AIR_NEW_OUTPUT, which selects the older output. Tune uses the
classes here in place of that output's two parts, the reporter and the callback.
"""

from typing import Any

from ray.tune import ProgressReporter  # noqa: TID251  an extension point of Ray Tune
from ray.tune.progress_reporter import TrialProgressCallback  # noqa: TID251


class SilentReporter(ProgressReporter):
    """A progress reporter for Ray Tune that prints nothing in a terminal or a notebook."""

    def should_report(self, trials: list[Any], done: bool = False) -> bool:
        """Return False, so that Tune never calls `report`; the arguments are not used."""
        return False

    def report(self, trials: list[Any], done: bool, *sys_info: Any) -> None:
        """Do nothing; the arguments are not used."""


class SilentCallback(TrialProgressCallback):
    """A callback for Ray Tune that shows no result in a terminal or a notebook."""

    def log_result(self, trial: Any, result: Any, error: bool = False) -> None:
        """Do nothing when a trial reports a result or fails; the arguments are not used."""

    def on_trial_complete(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        """Do nothing when a trial ends without an error; the arguments are not used."""
