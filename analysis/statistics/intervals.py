"""Bootstrap intervals over galaxies, Student's intervals over seeds, and adjusted p-values."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats


def rmse_interval(
    predicted: NDArray[np.floating],
    voted: NDArray[np.floating],
    *,
    confidence: float = 0.95,
    num_resamples: int = 2000,
    seed: int = 0,
) -> tuple[float, float]:
    """Return the lower and upper end of the percentile bootstrap interval of an RMSE.

    predicted, voted: fractions [N, A] of N >= 1 galaxies; the RMSE is over all N x A values.
    confidence: confidence of the interval, in 0..1. num_resamples: number of bootstrap resamples.
    seed: random seed of the resamples.

    Whole galaxies are drawn, because the errors of one galaxy's answers are not independent.
    """
    drawn = resampled_rmses([predicted], voted, num_resamples=num_resamples, seed=seed)[:, 0]
    tail = (1 - confidence) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return float(low), float(high)


def rmse_difference_interval(
    first: NDArray[np.floating],
    second: NDArray[np.floating],
    voted: NDArray[np.floating],
    *,
    confidence: float = 0.95,
    num_resamples: int = 2000,
    seed: int = 0,
) -> tuple[float, float]:
    """Return the lower and upper end of the paired bootstrap interval of a difference of RMSEs.

    The difference is the RMSE of `first` minus that of `second`. first, second, voted: fractions
    [N, A] of the same N >= 1 galaxies. In each resample both RMSEs are over the same drawn
    galaxies. The other arguments are those of `rmse_interval`.
    """
    drawn = resampled_rmses([first, second], voted, num_resamples=num_resamples, seed=seed)
    tail = (1 - confidence) / 2
    low, high = np.quantile(drawn[:, 0] - drawn[:, 1], [tail, 1 - tail])
    return float(low), float(high)


def resamples_for(tail: float) -> int:
    """Return how many bootstrap resamples a quantile needs, at least 2000.

    tail: probability beyond the quantile, above 0, for example 0.025. At least 20 resamples are
    then expected beyond the quantile.
    """
    return max(2000, math.ceil(20 / tail))


def resampled_rmses(
    predictions: Sequence[NDArray[np.floating]],
    voted: NDArray[np.floating],
    *,
    num_resamples: int,
    seed: int = 0,
) -> NDArray[np.float64]:
    """Return the RMSE [num_resamples, K] of K networks on resampled galaxies.

    predictions: predicted fractions [N, A] of each of the K >= 1 networks. voted: vote fractions
    [N, A] of N >= 1 galaxies. num_resamples: number of bootstrap resamples. seed: random seed of
    the resamples. Each RMSE is over all A answers of the N galaxies that are drawn.

    In each resample all networks are scored on the same drawn galaxies. A galaxy that is difficult
    for all networks therefore has little effect on the difference of two columns.
    """
    errors = np.stack(
        [np.mean((p - voted).astype(np.float64) ** 2, axis=1) for p in predictions], axis=1
    )
    generator = np.random.default_rng(seed)
    num = len(voted)
    means = np.empty((num_resamples, len(predictions)))
    for row in means:
        row[:] = np.bincount(generator.integers(num, size=num), minlength=num) @ errors / num
    return np.sqrt(means)


def mean_interval(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float] | None:
    """Return the lower and upper end of Student's interval of the mean of some values, or None.

    values: one value for each seed. confidence: confidence of the interval, in 0..1. None is
    returned for fewer than two values. If all values are equal, both ends are this value.
    """
    if len(values) < 2:
        return None
    if min(values) == max(values):  # scipy gives a warning for values without spread
        return float(values[0]), float(values[0])
    interval = stats.ttest_1samp(values, popmean=0.0).confidence_interval(confidence)
    return float(interval.low), float(interval.high)


def paired_p_value(differences: Sequence[float]) -> float | None:
    """Return the two-sided p-value of Student's paired test that a mean difference is 0, or None.

    differences: one difference for each pair. None is returned for fewer than two differences. If
    all differences are equal, the p-value is 1 for differences of 0 and otherwise 0.
    """
    if len(differences) < 2:
        return None
    if min(differences) == max(differences):  # scipy gives a warning for values without spread
        return 0.0 if differences[0] else 1.0
    return float(stats.ttest_1samp(differences, popmean=0.0).pvalue)


def holm_adjusted(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted for the number of tests by Holm's method (Holm 1979).

    p_values: the p-values of all tests, each in 0..1; may be empty. The result has the same order
    and length, and its values are at most 1. Each adjusted p-value can be compared with the
    significance level like the p-value of a single test.
    """
    order = np.argsort(p_values, kind="stable")
    adjusted = np.empty(len(p_values))
    largest = 0.0
    for rank, place in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = largest
    return [float(p) for p in adjusted]


def least_detectable(num_pairs: int, num_comparisons: int, significance: float = 0.05) -> float:
    """Return the smallest mean difference that is significant in the first step of Holm's method.

    The result is in units of the standard deviation of the paired differences. num_pairs: number
    of pairs, at least 2. num_comparisons: number of tests in the family, at least 1. significance:
    significance level of the family, in 0..1.
    """
    quantile = stats.t.ppf(1 - significance / (2 * num_comparisons), num_pairs - 1)
    return float(quantile / math.sqrt(num_pairs))
