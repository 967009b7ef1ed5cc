"""The gain of the average over eight views of an image, measured on the validation galaxies."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.statistics import rmse_difference_interval
from trainables.training import NumViews, rmse

_EIGHT, _DIFFERENCE = "rmse_8_views", "rmse_8_views_difference"
_INTERVAL = f"{_DIFFERENCE}_interval_95"
_WORTH = 0.01  # relative fall of the RMSE that eight times as long a prediction is worth


def view_metrics(
    once: NDArray[np.floating], averaged: NDArray[np.floating], voted: NDArray[np.floating]
) -> dict[str, Any]:
    """Return the metrics of predictions by 8 views beside those by 1 view, by name.

    once, averaged, voted: predictions by 1 view and by 8 views, and vote fractions, [N, 37] each,
    of the same N >= 1 galaxies. The metrics are `rmse_8_views`, the RMSE of `averaged`;
    `rmse_8_views_difference`, this RMSE minus that of `once`; and
    `rmse_8_views_difference_interval_95`, the paired 95 % bootstrap interval of the difference
    over galaxies, as a list [low, high].
    """
    eight = rmse(averaged, voted)
    return {
        _EIGHT: eight,
        _DIFFERENCE: eight - rmse(once, voted),
        _INTERVAL: list(rmse_difference_interval(averaged, once, voted)),
    }


def views_worth_taking(metrics: Mapping[str, Any]) -> NumViews:
    """Return the number of views that `predict` takes unless another is asked for: 1 or 8.

    The number is 8 if 8 views lower the validation RMSE by 1 % or more, and the whole interval of
    the difference shows a gain. metrics: what `view_metrics` returns for the validation galaxies,
    beside `rmse`; without these metrics, as in an older export, the number is 1.
    """
    if _EIGHT not in metrics:
        return 1
    is_worth = metrics[_DIFFERENCE] <= -_WORTH * metrics["rmse"] and metrics[_INTERVAL][1] < 0
    return 8 if is_worth else 1


def view_sentence(metrics: Mapping[str, Any]) -> str:
    """Return one sentence on what 8 views gain and cost; "" if the metrics do not tell of them.

    metrics: what `split_metrics` and `view_metrics` return for the validation galaxies.
    """
    if _EIGHT not in metrics:
        return ""
    change, low, high = (
        100 * value / metrics["rmse"] for value in (metrics[_DIFFERENCE], *metrics[_INTERVAL])
    )
    if low <= 0 <= high:
        told = (
            f"8 views change the validation RMSE by {change:+.1f} % (95 % interval {low:+.1f} % "
            f"to {high:+.1f} %), so that no gain is shown,"
        )
    else:
        verb = "lower" if high < 0 else "raise"
        nearest, furthest = sorted((abs(low), abs(high)))
        told = (
            f"8 views {verb} the validation RMSE by {abs(change):.1f} % (95 % interval "
            f"{nearest:.1f} % to {furthest:.1f} %)"
        )
    used, other = ("8 views", 1) if views_worth_taking(metrics) == 8 else ("1 view", 8)
    told = f"{told} and take 8 times as long; `predict` uses {used}"
    return f"{told} unless `--views {other}` is given."
