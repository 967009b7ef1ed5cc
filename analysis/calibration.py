"""Whether predicted fractions are met on average: binned votes and the calibration error."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from trainables.decision_tree import QUESTIONS, SLICES

NUM_BINS = 10  # of equal width over 0..1


@dataclass(frozen=True)
class Calibration:
    """Votes against predictions in the B bins that hold any, of one question or of all.

    name: the question's; predicted, voted [B]: means in the bin; low, high [B]: interval of the
    mean vote; counts [B]: values in the bin, one a galaxy and answer; error: see `calibration`.
    """

    name: str
    predicted: NDArray[np.float64]
    voted: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    counts: NDArray[np.int64]
    error: float


def calibration(
    predicted: NDArray[np.floating],
    voted: NDArray[np.floating],
    *,
    name: str = "all questions",
    num_bins: int = NUM_BINS,
    confidence: float = 0.95,
) -> Calibration:
    """Calibration of predictions [N, A] of A answers against votes [N, A], both in 0..1.

    The error is the expected calibration error (Naeini et al. 2015; Guo et al. 2017, eq. 3),
    the mean over all values of |mean vote - mean prediction| of their bin, with vote fractions
    in the place of correct labels. It is 0 for perfect predictions, and also for any that are
    right on average in each bin. Intervals: see `_mean_votes`.
    """
    if predicted.shape != voted.shape or predicted.ndim != 2:
        raise ValueError(f"predicted is {predicted.shape}, voted {voted.shape}; not [N, A] both")
    place = np.clip((predicted * num_bins).astype(np.int64), 0, num_bins - 1)
    members = [place == i for i in range(num_bins)]
    members = [inside for inside in members if inside.any()]
    counts = np.array([inside.sum() for inside in members])
    means = np.array([predicted[inside].mean(dtype=np.float64) for inside in members])
    votes, low, high = _mean_votes(voted.astype(np.float64), members, confidence)
    error = float(np.sum(counts * np.abs(votes - means)) / counts.sum())
    return Calibration(name, means, votes, low, high, counts, error)


def _mean_votes(
    voted: NDArray[np.float64], members: Sequence[NDArray[np.bool_]], confidence: float
) -> tuple[NDArray[np.float64], ...]:
    """Mean votes [B] and the ends of their intervals in 0..1, galaxies taken as independent.

    Values of one galaxy are not independent, so the standard error is that of a ratio of sums
    over galaxies (Cochran 1977, Sampling Techniques, on the estimate of a ratio), with Student's
    t for galaxies less one. A single galaxy says nothing of the spread: its interval is 0..1.
    """
    rows = []
    for inside in members:
        sizes, sums = inside.sum(axis=1), np.sum(voted * inside, axis=1)
        mean = sums.sum() / sizes.sum()
        galaxies = int(np.count_nonzero(sizes))
        if galaxies == 1:
            rows.append((mean, 0.0, 1.0))
            continue
        spread = np.sum((sums - mean * sizes) ** 2) * galaxies / (galaxies - 1)
        half = student.ppf((1 + confidence) / 2, galaxies - 1) * np.sqrt(spread) / sizes.sum()
        rows.append((mean, max(0.0, mean - half), min(1.0, mean + half)))
    votes, low, high = np.array(rows).T
    return votes, low, high


def question_calibrations(
    predicted: NDArray[np.floating], voted: NDArray[np.floating], *, num_bins: int = NUM_BINS
) -> list[Calibration]:
    """Calibration of each of the 11 questions, in order, from [N, 37] fractions."""
    return [
        calibration(
            predicted[:, answers], voted[:, answers], name=question.name, num_bins=num_bins
        )
        for question, answers in zip(QUESTIONS, SLICES)
    ]
