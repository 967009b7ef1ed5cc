"""Asynchronous successive halving (Li et al. 2020, MLSys) whose rungs are a study's curves.

Whether early ranks say anything is measured, not assumed: of the trials that were trained whole,
how do their early ranks agree with their final ones? Halving begins at once, for whole trials
are dear; the measurement that follows sets the grace period right, or ends the halving.
"""

import bisect
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

Curve = Sequence[Mapping[str, Any]]
FEWEST_MEASURED, MOST_MEASURED = 5, 30  # whole trials
# Spearman's correlation from which a rung may cut. Measured among trials that halving let pass,
# which are alike, it is lower than among all: .5 to .6 where all had .8 (simple CNN, epoch 3).
_TELLING = 0.4
_ONE_SIDED = 1.28  # normal quantile: what is called misleading would else be so in one case of ten


class Rungs:
    """At certain epochs only the best 1/eta of the trials that came so far may go on."""

    def __init__(self, *, grace_epochs: int, reduction_factor: int, max_epochs: int) -> None:
        """Rungs at grace, grace x eta, grace x eta^2 ... below max_epochs."""
        self.reduction_factor = reduction_factor
        self.values: dict[int, dict[str, float]] = {}
        self._ordered: dict[int, list[float]] = {}  # the same values, the lowest first
        epoch = grace_epochs
        while epoch < max_epochs:
            self.values[epoch], self._ordered[epoch] = {}, []
            epoch *= reduction_factor

    def may_continue(self, trial_id: str, epoch: int, value: float) -> bool:
        """Enter a trial's lowest value so far at an epoch; False if it is to stop there.

        The first rung cuts nobody before it holds `reduction_factor` trials. At the later ones,
        where most were good enough before, the best alone goes on from the second trial on. A
        trial that is asked about twice counts once.
        """
        if epoch not in self.values:
            return True
        rung, ordered = self.values[epoch], self._ordered[epoch]
        if trial_id in rung:
            del ordered[bisect.bisect_left(ordered, rung[trial_id])]
        rung[trial_id] = value
        bisect.insort(ordered, value)
        if epoch == min(self.values) and len(rung) < self.reduction_factor:
            return True
        num_promoted = max(1, len(rung) // self.reduction_factor)
        return value <= ordered[num_promoted - 1]

    def enter(self, curves: Mapping[str, Curve]) -> None:
        """Enter what trials have reached already."""
        for trial_id, curve in curves.items():
            for epoch in (rung for rung in self.values if rung <= len(curve)):
                self.may_continue(trial_id, epoch, lowest(curve, epoch))


def lowest(curve: Curve, epoch: int) -> float:
    """The lowest validation RMSE of the first `epoch` epochs."""
    return float(min(report["val_rmse"] for report in curve[:epoch]))


@dataclass(frozen=True)
class HalvingChoice:
    """What was measured on whole trials, and the grace period that follows.

    correlations: Spearman's between the lowest RMSE up to an epoch and the final one, by epoch;
    grace_epochs: the first epoch that does not mislead, None if all do: then nobody is cut.
    """

    num_whole: int
    correlations: dict[int, float]
    grace_epochs: int | None

    def sentence(self) -> str:
        """The choice in words."""
        if not self.correlations:
            return (
                f"trials trained whole so far: {self.num_whole}, too few to measure whether early "
                f"ranks mislead; trials may be stopped from epoch {self.grace_epochs} on"
            )
        seen = ", ".join(f"epoch {e}: {rho:.2f}" for e, rho in self.correlations.items())
        measured = f"rank correlation with the end over {self.num_whole} whole trials: {seen}"
        if self.grace_epochs is None:
            return f"{measured}; early ranks mislead, so every trial is trained whole"
        return f"{measured}; trials may be stopped from epoch {self.grace_epochs} on"

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def first_grace(longest_epochs: int) -> int:
    """The grace period before anything was measured: a 27th of the longest training.

    A ninth took a fifth longer to the target on recorded curves of a simple CNN, with one worker
    and with sixteen (benchmarks/2026-11-23-search-efficiency.md).
    """
    return max(1, longest_epochs // 27)


def choose_grace(
    curves: Sequence[Curve], *, first_epoch: int, reduction_factor: int
) -> HalvingChoice:
    """Measure whole trials' curves and choose the grace period.

    A rung is worth asking at first_epoch, x eta, x eta^2 ... as long as enough curves are longer.
    It misleads if so low a correlation would be seen in less than one case of ten where the true
    one is just telling (Fisher's z). A rung that cannot be measured is trusted.
    """
    correlations: dict[int, float] = {}
    misleading = []
    epoch = first_epoch
    while len(longer := [curve for curve in curves if len(curve) > epoch]) >= FEWEST_MEASURED:
        early = [lowest(curve, epoch) for curve in longer]
        final = [lowest(curve, len(curve)) for curve in longer]
        correlations[epoch] = rho = _spearman(early, final)
        if rho < math.tanh(math.atanh(_TELLING) - _ONE_SIDED / math.sqrt(len(longer) - 3)):
            misleading.append(epoch)
        epoch *= reduction_factor
    telling = [e for e in correlations if e not in misleading]
    untold = None if correlations else first_epoch
    return HalvingChoice(len(curves), correlations, telling[0] if telling else untold)


def _spearman(first: Sequence[float], second: Sequence[float]) -> float:
    """Spearman's correlation; 0 where all values of one side are the same."""
    if len(set(first)) == 1 or len(set(second)) == 1:
        return 0.0
    from scipy import stats  # a second of import that no search should wait for at its start

    return round(float(stats.spearmanr(first, second).statistic), 4)
