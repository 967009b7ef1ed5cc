"""Asynchronous successive halving (Li et al. 2020, MLSys) whose rungs are a study's curves.

Whether early ranks say anything is measured, not assumed: the first trials are trained to their
end, and the grace period follows from how their early ranks agree with their final ones.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

Curve = Sequence[Mapping[str, Any]]
_TELLING = 0.7  # Spearman's correlation from which a rung may cut
_FEWEST_PROBES, _MOST_PROBES = 6, 10


class Rungs:
    """At certain epochs only the best 1/eta of the trials that came so far may go on."""

    def __init__(self, *, grace_epochs: int, reduction_factor: int, max_epochs: int) -> None:
        """Rungs at grace, grace x eta, grace x eta^2 ... below max_epochs."""
        self.reduction_factor = reduction_factor
        self.values: dict[int, dict[str, float]] = {}
        epoch = grace_epochs
        while epoch < max_epochs:
            self.values[epoch] = {}
            epoch *= reduction_factor

    def may_continue(self, trial_id: str, epoch: int, value: float) -> bool:
        """Enter a trial's lowest value so far at an epoch; False if it is to stop there.

        A rung cuts nobody before it holds `reduction_factor` trials, and a trial that is asked
        about twice counts once.
        """
        if epoch not in self.values:
            return True
        rung = self.values[epoch]
        rung[trial_id] = value
        if len(rung) < self.reduction_factor:
            return True
        num_promoted = math.ceil(len(rung) / self.reduction_factor)
        return value <= sorted(rung.values())[num_promoted - 1]

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
    """What was measured on the first full trials, and the grace period that follows.

    correlations: Spearman's between the lowest RMSE up to an epoch and the final one, by epoch;
    grace_epochs: the first epoch that tells enough, None if none does: then nobody is cut.
    """

    num_probes: int
    correlations: dict[int, float]
    grace_epochs: int | None

    def sentence(self) -> str:
        """The choice in words."""
        seen = ", ".join(f"epoch {e}: {rho:.2f}" for e, rho in self.correlations.items())
        measured = f"rank correlation with the end over {self.num_probes} full trials: {seen}"
        if self.grace_epochs is None:
            return f"{measured}; early ranks tell too little, so every trial is trained whole"
        return f"{measured}; trials may be stopped from epoch {self.grace_epochs} on"

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def num_probes(num_trials: int) -> int:
    """How many trials are trained whole to measure by: a fifth, at least 6 and at most 10."""
    return min(_MOST_PROBES, max(_FEWEST_PROBES, num_trials // 5))


def choose_grace(curves: Sequence[Curve], *, reduction_factor: int) -> HalvingChoice:
    """Measure whole trials' curves and choose the grace period.

    A rung is worth asking at 1, eta, eta^2 ... epochs before the shortest curve's end.
    """
    shortest = min(len(curve) for curve in curves)
    final = [lowest(curve, len(curve)) for curve in curves]
    correlations = {}
    epoch = 1
    while epoch < shortest:
        early = [lowest(curve, epoch) for curve in curves]
        rho = 0.0 if len(set(early)) == 1 or len(set(final)) == 1 else _spearman(early, final)
        correlations[epoch] = rho
        epoch *= reduction_factor
    telling = [epoch for epoch, rho in correlations.items() if rho >= _TELLING]
    return HalvingChoice(len(curves), correlations, telling[0] if telling else None)


def _spearman(first: Sequence[float], second: Sequence[float]) -> float:
    from scipy import stats  # a second of import that no search should wait for at its start

    return float(stats.spearmanr(first, second).statistic)
