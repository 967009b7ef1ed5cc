"""The grace period before the first rung, measured in the running study.

The measurement compares the ranks of trials at a rung with their ranks at the next rung, for the
trials that went on. Halving begins before any measurement, because a trial that is trained whole
is expensive. The measurement then corrects the grace period, or ends the halving.

Ranks at a rung are not compared with ranks at the last epoch. Few trials come to the last epoch,
and those trials were let pass at every rung. Take two trials that are among the best at the last
rung: the trial that was worse at the first rung has gained more since then. Among such trials the
correlation with the last epoch is about zero, even if it is high among all trials.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from galaxytune.halving.rungs import lowest
from trainables.training import Curve

COMPARED_WITH = "the next rung"
MOST_MEASURED = 30  # trials trained whole; with more, nothing is measured again
_FEWEST_COMPARED = 5  # trials that went on from a rung; with fewer, the rung is not measured
# A rung may stop trials if its ranks have at least this Spearman's correlation with the ranks at
# the next rung, among all trials that come to the rung.
_TELLING = 0.4
# Quantile of the normal distribution: a rung whose correlation is just _TELLING is called
# misleading in one case of 40.
_ONE_SIDED = 1.96


@dataclass(frozen=True)
class GraceChoice:
    """A choice of the grace period, and the measurement that the choice follows from.

    num_whole: number of trials that were trained whole before the measurement.
    correlations: Spearman's correlation for each measured rung, by the rung's epoch. The
        correlation is between the lowest RMSE up to the rung and the lowest RMSE up to the next
        rung, among the trials that came to the next rung. The mapping is {} if too few trials came
        to the second rung.
    grace_epochs: the first epoch from which no measured rung misleads; None if the last rung
        misleads, and then no trial pauses.
    """

    num_whole: int
    correlations: dict[int, float]
    grace_epochs: int | None

    def sentence(self) -> str:
        """Return the correlations and the choice in words, on one line without a full stop."""
        if not self.correlations:
            return (
                "too few trials have gone on from a rung to measure whether early ranks mislead; "
                f"trials may pause from epoch {self.grace_epochs} on"
            )
        seen = ", ".join(f"epoch {e}: {rho:.2f}" for e, rho in self.correlations.items())
        measured = f"rank correlation with {COMPARED_WITH}, of the trials that went on: {seen}"
        if self.grace_epochs is None:
            return f"{measured}; early ranks mislead, so every trial is trained whole"
        return f"{measured}; trials may pause from epoch {self.grace_epochs} on"

    def as_json(self) -> dict[str, Any]:
        """Return the choice as plain values by name, for halving.json.

        The names are the fields, `sentence`, and `compared_with`, whose value COMPARED_WITH names
        the ranks that the ranks at a rung were compared with.
        """
        return asdict(self) | {"compared_with": COMPARED_WITH, "sentence": self.sentence()}


def first_grace(longest_epochs: int) -> int:
    """Return the grace period before any measurement, in epochs: a 27th of the longest training.

    longest_epochs: epochs of the longest trial. The 27th is rounded down, and the grace period is
    at least 1. With a ninth in place of a 27th, a search took a fifth longer to reach the target,
    on recorded curves of a simple CNN, with one worker and with sixteen workers
    (benchmarks/2026-11-24-search-efficiency.md).
    """
    return max(1, longest_epochs // 27)


def values_at_rungs(curve: Curve, epochs: Sequence[int], *, is_whole: bool) -> list[float]:
    """Return a trial's lowest validation RMSE up to each rung that the trial has come to.

    epochs: the epochs of the rungs, then the last epoch of the training. is_whole: whether the
    trial was trained whole. The values are in the order of the rungs; the list is empty if the
    trial has not come to the first rung.

    A trial that was trained whole and ended between two rungs also has a value at the later rung,
    the trial's lowest RMSE, because the trial went on from the earlier rung. The trial has no
    value at rungs after that: the value there would be the same and would agree with itself.
    """
    values = [lowest(curve, epoch) for epoch in epochs if epoch <= len(curve)]
    if is_whole and 0 < len(values) < len(epochs) and epochs[len(values) - 1] < len(curve):
        values.append(lowest(curve, len(curve)))
    return values


def choose_grace(
    values: Sequence[Sequence[float]], epochs: Sequence[int], *, num_whole: int
) -> GraceChoice:
    """Return the choice of the grace period, with the correlations that it follows from.

    values: for each trial, what `values_at_rungs` returns. epochs: the epochs of the rungs, with
    the last epoch of the training at the end; at least one. num_whole: number of trials that were
    trained whole, which the choice only reports.

    A rung misleads if its correlation with the next rung is so low that a true correlation of 0.4
    among all trials at the rung would give it in less than one case of 40 (Fisher's z). A rung
    from which fewer than five trials went on is not measured, nor are the rungs after it; a rung
    that is not measured does not mislead.
    """
    correlations: dict[int, float] = {}
    grace_epochs = epochs[0]
    for place, (epoch, next_epoch) in enumerate(pairwise(epochs)):
        come = [trial[place : place + 2] for trial in values if len(trial) > place]
        late = [trial[1] for trial in come if len(trial) == 2]
        if len(late) < _FEWEST_COMPARED:
            break
        early = np.array([trial[0] for trial in come])
        went_on = np.array([len(trial) == 2 for trial in come])
        correlations[epoch] = rho = _spearman(early[went_on], late)
        telling = _among_alike(_TELLING, _spread(early, went_on))
        if rho < math.tanh(math.atanh(telling) - _ONE_SIDED / math.sqrt(len(late) - 3)):
            grace_epochs = next_epoch
    chosen = None if grace_epochs == epochs[-1] and len(epochs) > 1 else grace_epochs
    return GraceChoice(num_whole, correlations, chosen)


def _spread(values: NDArray[np.float64], chosen: NDArray[np.bool_]) -> float:
    """Return how widely chosen values spread compared with all values, from 0.

    values: the values [N]. chosen: True for each chosen value, [N]; at least one. The spread is
    the standard deviation of the normal scores of the ranks. The result is the spread of the
    chosen values divided by the spread of all values; 0 if all values are equal.
    """
    from scipy import stats  # takes a second, so not at the start of a search

    scores = stats.norm.ppf((stats.rankdata(values) - 0.5) / len(values))
    among_all = np.std(scores)
    return float(np.std(scores[chosen]) / among_all) if among_all else 0.0


def _among_alike(correlation: float, spread: float) -> float:
    """Return the correlation that is left among cases that were chosen by the first variable.

    correlation: the correlation among all cases. spread: the standard deviation of the first
    variable among the chosen cases, divided by the standard deviation among all cases. Thorndike
    1949, Personnel Selection, case 2; Sackett and Yang 2000, J. Appl. Psychol. 85:112.
    """
    explained = (correlation * spread) ** 2
    return correlation * spread / math.sqrt(1 - correlation**2 + explained)


def _spearman(first: Sequence[float] | NDArray[np.float64], second: Sequence[float]) -> float:
    """Return Spearman's correlation of two series [N], rounded to four decimals.

    The result is 0 if all values of one series are equal.
    """
    if len(set(first)) == 1 or len(set(second)) == 1:
        return 0.0
    from scipy import stats

    return round(float(stats.spearmanr(first, second).statistic), 4)
