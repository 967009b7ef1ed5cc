"""Whether early ranks say anything: measured in the running study, not assumed.

Of the trials that went on from one rung to the next, how do the ranks at the two agree? Halving
begins at once, for whole trials are dear; the measurement that follows sets the grace period
right, or ends the halving.

Ranks at a rung are compared with those at the next one and not with the end. Few come to the end,
and those that do were let pass at every rung: of two that are among the best at the last rung, the
one that was worse at the first has gained more since. A correlation with the end is about zero
among them even where it is high among all.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from galaxytune.halving import Curve, lowest

COMPARED_WITH = "the next rung"
MOST_MEASURED = 30  # whole trials
_FEWEST_COMPARED = 5  # trials that went on from a rung to the next
_TELLING = 0.4  # Spearman's correlation among all who come to a rung, from which it may cut
_ONE_SIDED = 1.96  # normal quantile: what is called misleading would else be so in one case of 40


@dataclass(frozen=True)
class GraceChoice:
    """What was measured by the time so many trials were trained whole, and the grace period.

    correlations: Spearman's between the lowest RMSE by a rung's epoch and by the next one's, of
    the trials that came to the next, by the rung's epoch. grace_epochs: the first epoch from which
    no rung misleads, None if the last does: then nobody pauses.
    """

    num_whole: int
    correlations: dict[int, float]
    grace_epochs: int | None

    def sentence(self) -> str:
        """The choice in words."""
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
        """Plain values, and what ranks were compared with: once it was the end."""
        return asdict(self) | {"compared_with": COMPARED_WITH, "sentence": self.sentence()}


def first_grace(longest_epochs: int) -> int:
    """The grace period before anything was measured: a 27th of the longest training.

    A ninth took a fifth longer to the target on recorded curves of a simple CNN, with one worker
    and with sixteen (benchmarks/2026-11-24-search-efficiency.md).
    """
    return max(1, longest_epochs // 27)


def values_at_rungs(curve: Curve, epochs: Sequence[int], *, is_whole: bool) -> list[float]:
    """A trial's lowest RMSE by each rung that it has come to.

    One that ended between two rungs has its lowest value at the later one: it went on from the
    earlier. At rungs beyond its end it says nothing: there it would agree with itself.
    """
    values = [lowest(curve, epoch) for epoch in epochs if epoch <= len(curve)]
    if is_whole and 0 < len(values) < len(epochs) and epochs[len(values) - 1] < len(curve):
        values.append(lowest(curve, len(curve)))
    return values


def choose_grace(
    values: Sequence[Sequence[float]], epochs: Sequence[int], *, num_whole: int
) -> GraceChoice:
    """Choose the grace period from the values of trials at rungs, the last of them the end.

    A rung misleads if so low a correlation with the next would be seen in less than one case of 40
    where the true one is just telling (Fisher's z). One that cannot be measured is trusted.
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
    """How widely the normal scores of the ranks of some spread, as a share of those of all."""
    from scipy import stats  # a second of import that no search should wait for at its start

    scores = stats.norm.ppf((stats.rankdata(values) - 0.5) / len(values))
    among_all = np.std(scores)
    return float(np.std(scores[chosen]) / among_all) if among_all else 0.0


def _among_alike(correlation: float, spread: float) -> float:
    """What is left of a correlation among those that were chosen by the first of its variables.

    Thorndike 1949, Personnel Selection, case 2; Sackett and Yang 2000, J. Appl. Psychol. 85:112.
    """
    explained = (correlation * spread) ** 2
    return correlation * spread / math.sqrt(1 - correlation**2 + explained)


def _spearman(first: Sequence[float] | NDArray[np.float64], second: Sequence[float]) -> float:
    """Spearman's correlation; 0 where all values of one side are the same."""
    if len(set(first)) == 1 or len(set(second)) == 1:
        return 0.0
    from scipy import stats

    return round(float(stats.spearmanr(first, second).statistic), 4)
