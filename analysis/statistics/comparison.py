"""Comparison of architectures, and which of their rankings the data support.

Two sources of chance are kept apart. The choice of held-out galaxies is treated by a paired
bootstrap over galaxies. The choice of the training's seed is treated by Welch's test, which
compares the validation RMSEs of two configs over their seeds.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy import stats

from analysis.records import HeldOut, TrialRecord, ranked
from analysis.statistics.intervals import resampled_rmses, resamples_for
from trainables.training import rmse

_CONFIDENCE = 0.95


@dataclass(frozen=True)
class PairedDifference:
    """A difference in RMSE of two networks on the same galaxies, with its uncertainty.

    first, second: names of the architectures.
    difference: RMSE of the first network minus RMSE of the second network. A negative difference
    means that the first network is better.
    low, high: ends of the bootstrap interval of the difference over galaxies. The intervals of all
    pairs together have a confidence of 95 % (Bonferroni).
    seed_difference: mean validation RMSE over the seeds of the first network's config minus the
    mean over the seeds of the second network's config.
    seed_p_value: p-value of Welch's test that these two means are the same, multiplied by the
    number of pairs, up to 1 (Bonferroni). None if one of the configs has fewer than two seeds.
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
        """True if the interval over galaxies excludes 0."""
        return self.low > 0 or self.high < 0

    @property
    def supported(self) -> bool:
        """True if both the galaxies and the seeds support the ranking of the two networks.

        The galaxies support the ranking if `galaxies_support` is True. The seeds support the
        ranking if `seed_difference` has the same sign as `difference` and the p-value over seeds
        is below 0.05. Without a p-value the sign alone counts.
        """
        by_seed = self.seed_p_value is None or self.seed_p_value < 1 - _CONFIDENCE
        alike = np.sign(self.seed_difference) == np.sign(self.difference)
        return self.galaxies_support and by_seed and bool(alike)


def best_by_architecture(records: Iterable[TrialRecord]) -> dict[str, TrialRecord]:
    """Return the best complete trial of each architecture by the architecture's name.

    The best trial is the first trial of `ranked`. The best architecture is first. An architecture
    without a complete trial is left out, so the result may be {}.
    """
    best: dict[str, TrialRecord] = {}
    for record in ranked(records):
        if record.status == "complete":
            best.setdefault(record.architecture, record)
    return best


def seeds_of(record: TrialRecord, records: Iterable[TrialRecord]) -> list[float]:
    """Return one validation RMSE for each seed of a trial's config.

    record: the trial. records: trials to search, which should include `record`. A complete trial
    counts if its config agrees with the config of `record` in all fields except the seed. If two
    such trials have the same seed, the later trial of `records` counts. The list is empty if no
    trial counts.
    """
    alike = [
        r
        for r in records
        if r.status == "complete" and r.config_without("seed") == record.config_without("seed")
    ]
    by_seed = {r.config.seed: r.val_rmse for r in alike if r.val_rmse is not None}
    return list(by_seed.values())


def _seed_p_value(first: Sequence[float], second: Sequence[float], num_pairs: int) -> float | None:
    """Return the p-value of Welch's test that two configs have the same mean RMSE, or None.

    first, second: validation RMSE of each seed of a config. num_pairs: number of comparisons by
    which the p-value is multiplied (Bonferroni), up to 1. None is returned if a config has fewer
    than two seeds. If neither config has any spread over its seeds, the p-value is 1 for equal
    RMSEs and otherwise 0.
    """
    if min(len(first), len(second)) < 2:
        return None
    if np.ptp(first) == 0 and np.ptp(second) == 0:
        return 0.0 if first[0] != second[0] else 1.0
    p = float(stats.ttest_ind(first, second, equal_var=False).pvalue)
    return min(1.0, num_pairs * p)


def paired_differences(
    held_out: dict[str, HeldOut], seeds: dict[str, list[float]]
) -> list[PairedDifference]:
    """Return the differences of all pairs of architectures, in the order of `held_out`.

    held_out: predictions of one network of each architecture, by the architecture's name.
    ValueError is raised if the galaxies of two networks differ. seeds: validation RMSE of each
    seed of the network's config, at least one, for the same names; KeyError is raised if a name is
    missing. The list is empty for fewer than two architectures.
    """
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
    """Return up to three sentences on which rankings of architectures the differences support.

    The first sentence names the supported rankings, and the second sentence names the pairs
    without a supported ranking; a sentence without a pair is left out. The last sentence gives a
    warning if an architecture has fewer than two seeds. The list is empty if `differences` is
    empty.
    """
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
        sentences.append(f"The data do not support a ranking of {', '.join(names)}.")
    if any(d.seed_p_value is None for d in differences):
        sentences.append(
            "Where an architecture has a single seed, the intervals do not hold "
            "the scatter between seeds: another run may rank close networks differently."
        )
    return sentences
