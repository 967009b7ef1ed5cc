"""Intervals: bootstrap over galaxies, Student's over seeds; and p-values of many comparisons."""

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
    """Percentile bootstrap interval of the RMSE of [N, 37] predictions, galaxies resampled.

    Galaxies, not single values, are drawn: the 37 errors of one galaxy are not independent.
    """
    per_galaxy = np.mean((predicted - voted).astype(np.float64) ** 2, axis=1)
    generator = np.random.default_rng(seed)
    means = [
        generator.choice(per_galaxy, size=len(per_galaxy)).mean() for _ in range(num_resamples)
    ]
    tail = (1 - confidence) / 2
    low, high = np.sqrt(np.quantile(means, [tail, 1 - tail]))
    return float(low), float(high)


def resamples_for(tail: float) -> int:
    """How many bootstrap resamples leave at least 20 beyond a quantile at `tail`; 2000 or more."""
    return max(2000, math.ceil(20 / tail))


def resampled_rmses(
    predictions: Sequence[NDArray[np.floating]],
    voted: NDArray[np.floating],
    *,
    num_resamples: int,
    seed: int = 0,
) -> NDArray[np.float64]:
    """RMSE [num_resamples, K] of K networks' predictions [N, 37] on resampled galaxies.

    All networks are scored on the same drawn galaxies, so that what makes a galaxy hard for all
    cancels from a difference of two columns.
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
    """Student's interval of the mean of a few values, one a seed; None of fewer than two."""
    if len(values) < 2:
        return None
    half = stats.t.ppf((1 + confidence) / 2, len(values) - 1) * stats.sem(values)
    return float(np.mean(values) - half), float(np.mean(values) + half)


def paired_p_value(differences: Sequence[float]) -> float | None:
    """Two-sided p-value of Student's paired test that the mean is 0; None of fewer than two."""
    if len(differences) < 2:
        return None
    error = stats.sem(differences)
    if error == 0:
        return 0.0 if np.mean(differences) else 1.0
    return float(2 * stats.t.sf(abs(np.mean(differences) / error), len(differences) - 1))


def holm_adjusted(p_values: Sequence[float]) -> list[float]:
    """p-values adjusted for their number by Holm 1979: each may be read as if it were alone."""
    order = np.argsort(p_values, kind="stable")
    adjusted = np.empty(len(p_values))
    largest = 0.0
    for rank, place in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = largest
    return [float(p) for p in adjusted]


def least_detectable(num_pairs: int, num_comparisons: int, significance: float = 0.05) -> float:
    """Mean over standard deviation of paired differences that Holm's first step lets pass."""
    quantile = stats.t.ppf(1 - significance / (2 * num_comparisons), num_pairs - 1)
    return float(quantile / math.sqrt(num_pairs))
