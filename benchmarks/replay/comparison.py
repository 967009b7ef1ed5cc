"""What simulated searches say: device time to the target, and how good the best is by when."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.replay.methods import RANDOM
from benchmarks.replay.runs import Search
from benchmarks.replay.simulation import Outcome

Times = Mapping[int, float]  # to the target, in whole trainings, by seed
_RESAMPLES = 4000
_NUM_TIMES = 80
_EARLIEST = 0.002  # of the budget


@dataclass(frozen=True)
class TimeToTarget:
    """Of one method with so many workers, over its seeds.

    Times are device time in whole trainings, the mean cost of a random config's. median and low
    to high, its 95 % interval, are infinite where too few seeds reached the target. Intervals are
    bootstrapped over landscapes, each with its seeds. They are of one recording: another one, of
    which no landscape knows anything, would differ by more.
    speed_up: random search's median over this one's, with its own interval, landscape by
    landscape; where random search did not arrive its whole budget is taken, which is less than it
    would need.
    """

    method: str
    num_workers: int
    num_seeds: int
    num_reached: int
    median: float
    low: float
    high: float
    speed_up: float
    speed_up_low: float
    speed_up_high: float
    mean_trials: float


def times_of_all(
    outcomes: Mapping[Search, Outcome], targets: Sequence[float], seconds_per_training: float
) -> dict[tuple[str, int], Times]:
    """Times to the target by method and number of workers.

    targets: one for each landscape; the search with seed s is in landscape s modulo their number.
    """
    return {
        key: {
            seed: outcome.seconds_to(target_of(targets, seed)) / seconds_per_training
            for seed, outcome in found.items()
        }
        for key, found in grouped(outcomes).items()
    }


def times_to_target(
    outcomes: Mapping[Search, Outcome], targets: Sequence[float], seconds_per_training: float
) -> list[TimeToTarget]:
    """A row for each method and number of workers, random search the measure."""
    groups, known = grouped(outcomes), times_of_all(outcomes, targets, seconds_per_training)
    budget = max(search.budget for search in outcomes) / seconds_per_training
    rows = []
    for (method, num_workers), found in groups.items():
        times, random = known[method, num_workers], known[RANDOM, num_workers]
        random = {seed: min(time, budget) for seed, time in random.items()}
        median, low, high = median_of(times, len(targets))
        speed_up, ratio_low, ratio_high = ratio_of(
            random, random if method == RANDOM else times, len(targets)
        )
        rows.append(
            TimeToTarget(
                method=method,
                num_workers=num_workers,
                num_seeds=len(times),
                num_reached=int(np.isfinite([*times.values()]).sum()),
                median=median,
                low=low,
                high=high,
                speed_up=speed_up,
                speed_up_low=ratio_low,
                speed_up_high=ratio_high,
                mean_trials=float(np.mean([o.num_trials for o in found.values()])),
            )
        )
    return sorted(rows, key=lambda row: (row.num_workers, row.median))


def grouped(outcomes: Mapping[Search, Outcome]) -> dict[tuple[str, int], dict[int, Outcome]]:
    """Outcomes by method and number of workers, then by seed."""
    groups: dict[tuple[str, int], dict[int, Outcome]] = {}
    for search, outcome in outcomes.items():
        groups.setdefault((search.method, search.num_workers), {})[search.seed] = outcome
    return groups


def _median(times: Sequence[float] | NDArray[np.float64]) -> float:
    """The median, the upper of two in the middle: infinite times cannot be averaged."""
    return float(np.sort(times)[len(times) // 2])


def target_of(targets: Sequence[float], seed: int) -> float:
    """The target of the landscape that the search with this seed is in."""
    return targets[seed % len(targets)]


def median_of(times: Times, num_landscapes: int) -> tuple[float, float, float]:
    """Return the median of the times and the ends of its 95 % interval.

    Landscapes are resampled, each with its seeds; seeds, if there is one landscape.
    """
    median = _median([*times.values()])
    return median, *_interval(_resampled(times, num_landscapes))


def ratio_of(slow: Times, quick: Times, num_landscapes: int) -> tuple[float, float, float]:
    """How many times as long one method takes: of the medians, and its 95 % interval.

    Landscapes are resampled for both at once, over the seeds that both have. NaN where neither
    median is finite.
    """
    both = [seed for seed in slow if seed in quick]
    first, second = ({seed: times[seed] for seed in both} for times in (slow, quick))
    with np.errstate(invalid="ignore"):
        ratios = _resampled(first, num_landscapes) / _resampled(second, num_landscapes)
        ratio = np.float64(_median([*first.values()])) / _median([*second.values()])
    return float(ratio), *_interval(ratios[~np.isnan(ratios)])


def _resampled(times: Times, num_landscapes: int) -> NDArray[np.float64]:
    """Medians of resampled landscapes with all their seeds; of seeds, where there is but one."""
    kinds = [seed if num_landscapes == 1 else seed % num_landscapes for seed in times]
    groups = [
        [time for time, kind in zip(times.values(), kinds) if kind == k]
        for k in dict.fromkeys(kinds)
    ]
    chosen = np.random.default_rng(0).integers(len(groups), size=(_RESAMPLES, len(groups)))
    return np.array([_median(np.concatenate([groups[k] for k in row])) for row in chosen])


def _interval(values: NDArray[np.float64]) -> tuple[float, float]:
    if not len(values):
        return np.nan, np.nan
    ordered = np.sort(values)
    places = [round(share * (len(ordered) - 1)) for share in (0.025, 0.975)]
    return float(ordered[places[0]]), float(ordered[places[1]])


@dataclass(frozen=True)
class RegretPoint:
    """The lowest RMSE by a time, less the target: median over seeds, and the middle half."""

    method: str
    num_workers: int
    trainings: float
    median: float
    low: float
    high: float


def regrets(
    outcomes: Mapping[Search, Outcome],
    targets: Sequence[float],
    budget: float,
    seconds_per_training: float,
) -> Iterator[RegretPoint]:
    """For each method, the course of the best RMSE less the target, to the budget's end."""
    times = budget * np.geomspace(_EARLIEST, 1.0, _NUM_TIMES)
    for (method, num_workers), found in grouped(outcomes).items():
        best = np.array([o.best_at(times) - target_of(targets, s) for s, o in found.items()])
        for time, values in zip(times / seconds_per_training, best.T):
            if np.isfinite(values).all():
                low, median, high = np.quantile(values, (0.25, 0.5, 0.75))
                yield RegretPoint(
                    method, num_workers, float(time), float(median), float(low), float(high)
                )


def write_csv(path: Path, rows: Sequence[TimeToTarget] | Sequence[RegretPoint]) -> None:
    """Write rows under their fields' names."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(asdict(rows[0])), lineterminator="\n")
        writer.writeheader()
        for row in rows:
            values = asdict(row).items()
            writer.writerow({k: f"{v:.6g}" if isinstance(v, float) else v for k, v in values})
