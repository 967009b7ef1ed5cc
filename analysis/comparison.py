"""Architectures side by side, and which of their rankings the data support.

Two sources of chance are kept apart: which galaxies were held out (paired bootstrap over them)
and which seed a network was trained with (Welch's test over the seeds of one config).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy import stats

from analysis.held_out import HeldOut
from analysis.intervals import resampled_rmses, resamples_for
from analysis.leaderboard import ranked
from analysis.trial_record import TrialRecord
from trainables.metrics import rmse

_CONFIDENCE = 0.95


@dataclass(frozen=True)
class PairedDifference:
    """RMSE of one network less that of another on the same galaxies.

    low, high: the interval; all pairs of the table hold together at 95 %. seed_difference: mean
    validation RMSE over the first's seeds less that over the second's. seed_p_value: that the
    two means are the same, None without repeats; it is adjusted for the number of pairs.
    """

    first: str
    second: str
    difference: float
    low: float
    high: float
    seed_difference: float
    seed_p_value: float | None

    @property
    def galaxies_support(self) -> bool:
        """Whether other galaxies of the same kind would rank the two alike."""
        return self.low > 0 or self.high < 0

    @property
    def supported(self) -> bool:
        """Whether galaxies, and seeds where there are several, support the same ranking."""
        by_seed = self.seed_p_value is None or self.seed_p_value < 1 - _CONFIDENCE
        alike = np.sign(self.seed_difference) == np.sign(self.difference)
        return self.galaxies_support and by_seed and bool(alike)


def best_by_architecture(records: Iterable[TrialRecord]) -> dict[str, TrialRecord]:
    """The best complete trial of each architecture, the best architecture first."""
    best: dict[str, TrialRecord] = {}
    for record in ranked(records):
        if record.status == "complete":
            best.setdefault(record.architecture, record)
    return best


def seeds_of(record: TrialRecord, records: Iterable[TrialRecord]) -> list[float]:
    """Validation RMSE of all complete trials that differ from `record` in the seed alone."""
    alike = [
        r
        for r in records
        if r.status == "complete" and r.config_without("seed") == record.config_without("seed")
    ]
    by_seed = {r.config["seed"]: r.val_rmse for r in alike if r.val_rmse is not None}
    return list(by_seed.values())


def _seed_p_value(first: Sequence[float], second: Sequence[float], num_pairs: int) -> float | None:
    if min(len(first), len(second)) < 2:
        return None
    if np.ptp(first) == 0 and np.ptp(second) == 0:
        return 0.0 if first[0] != second[0] else 1.0
    p = float(stats.ttest_ind(first, second, equal_var=False).pvalue)
    return min(1.0, num_pairs * p)


def paired_differences(
    held_out: dict[str, HeldOut], seeds: dict[str, list[float]]
) -> list[PairedDifference]:
    """All pairs of architectures, in the order given; ValueError if the galaxies differ."""
    pairs = list(combinations(held_out, 2))
    for a, b in combinations(held_out.values(), 2):
        if not np.array_equal(a.ids, b.ids):
            raise ValueError(f"{a.label} and {b.label} were scored on different galaxies")
    if not pairs:
        return []
    predictions = [each.predicted for each in held_out.values()]
    voted = next(iter(held_out.values())).voted
    tail = (1 - _CONFIDENCE) / 2 / len(pairs)
    resampled = resampled_rmses(predictions, voted, num_resamples=resamples_for(tail))
    column = dict(zip(held_out, resampled.T))
    scored = {name: rmse(each.predicted, voted) for name, each in held_out.items()}
    differences = []
    for first, second in pairs:
        low, high = np.quantile(column[first] - column[second], [tail, 1 - tail])
        differences.append(
            PairedDifference(
                first,
                second,
                scored[first] - scored[second],
                float(low),
                float(high),
                float(np.mean(seeds[first]) - np.mean(seeds[second])),
                _seed_p_value(seeds[first], seeds[second], len(pairs)),
            )
        )
    return differences


def ranking_sentences(differences: Sequence[PairedDifference]) -> list[str]:
    """What the table supports, in words: the sure rankings, the open ones, and the caveat."""
    sentences = []
    sure = [d for d in differences if d.supported]
    if sure:
        names = [
            f"{d.first} before {d.second}" if d.difference < 0 else f"{d.second} before {d.first}"
            for d in sure
        ]
        sentences.append(f"The data support these rankings: {', '.join(names)}.")
    open_ = [d for d in differences if not d.supported]
    if open_:
        names = [f"{d.first} and {d.second}" for d in open_]
        sentences.append(f"They do not rank {', '.join(names)}.")
    if any(d.seed_p_value is None for d in differences):
        sentences.append(
            "Where an architecture has a single seed, the scatter between seeds is in no "
            "interval: another run might rank close networks otherwise."
        )
    return sentences
