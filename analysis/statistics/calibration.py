"""Calibration: mean votes in bins of predicted fractions, and the calibration error."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from trainables.decision_tree import QUESTIONS, SLICES

NUM_BINS = 10  # the bins have equal width over 0..1


@dataclass(frozen=True)
class Calibration:
    """A comparison of votes with predictions in B bins that each hold at least one value.

    A value is one answer of one galaxy. The bins are in the order of rising prediction.

    name: name of the question, or "all questions".
    predicted: mean predicted fraction in each bin, [B] in 0..1.
    voted: mean vote fraction in each bin, [B] in 0..1.
    low: lower end of the interval of each mean vote, [B] in 0..1. The interval is 0..1 in a bin
    with values of a single galaxy.
    high: upper end of the interval of each mean vote, [B] in 0..1.
    counts: number of values in each bin, [B].
    error: expected calibration error in 0..1; `calibration_of` defines the error.
    """

    name: str
    predicted: NDArray[np.float64]
    voted: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    counts: NDArray[np.int64]
    error: float


def calibration_of(
    predicted: NDArray[np.floating],
    voted: NDArray[np.floating],
    *,
    name: str = "all questions",
    num_bins: int = NUM_BINS,
    confidence: float = 0.95,
) -> Calibration:
    """Return the calibration of predicted fractions against vote fractions.

    predicted, voted: fractions [N, A] in 0..1 of N >= 1 galaxies and A answers. ValueError is
    raised unless both arrays have the same shape [N, A] and hold a value. A prediction outside
    0..1 counts in the first or last bin. name: name of the result, for example the question's
    name. num_bins: number of bins of equal width over 0..1; bins without a value are left out of
    the result. confidence: confidence of the intervals of the mean votes, in 0..1.

    The error is the expected calibration error (Naeini et al. 2015; Guo et al. 2017, eq. 3): the
    mean over all values of |mean vote - mean prediction| in the value's bin. Vote fractions take
    the place of correct labels. The error is 0 if the mean vote equals the mean prediction in
    every bin, so an error of 0 does not mean that every prediction is right.
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
    """Return the mean votes [B], and the lower ends [B] and upper ends [B] of their intervals.

    voted: vote fractions [N, A]. members: for each of B >= 1 bins a mask [N, A] of the values in
    the bin, at least one. confidence: confidence of the intervals, in 0..1.

    Galaxies are taken as independent, but the values of one galaxy are not independent. The
    standard error is therefore the standard error of a ratio of sums over galaxies (Cochran 1977,
    Sampling Techniques, on the estimate of a ratio). The interval uses Student's t with one degree
    of freedom fewer than the bin has galaxies, and is cut to 0..1. The interval of a bin with a
    single galaxy is 0..1, because a single galaxy gives no spread.
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
    """Return the calibration of each of the 11 questions, in the order of the questions.

    predicted, voted: fractions [N, 37] in 0..1 of N >= 1 galaxies; ValueError is raised if their
    shapes differ. num_bins: number of bins of equal width over 0..1. The intervals have a
    confidence of 95 %.
    """
    return [
        calibration_of(
            predicted[:, answers], voted[:, answers], name=question.name, num_bins=num_bins
        )
        for question, answers in zip(QUESTIONS, SLICES)
    ]
