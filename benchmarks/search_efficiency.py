"""Measure how much training each way to search needs, on real curves in simulated time.

    python benchmarks/search_efficiency.py benchmarks/curves/simple_cnn.parquet [--out FOLDER]
        [--seeds 30] [--workers 1 4 16] [--trials 100] [--syne-tune VENV/bin/python]
        [--source forest|nearest] [--metric val_rmse] [--landscapes 10]
    python benchmarks/search_efficiency.py benchmarks/curves/simple_cnn.parquet --quick

Several landscapes are made of the recording, each of three quarters of its configs, drawn anew;
the seeds are shared out between them. Random search goes on until it has used the device time of
`--trials` whole trainings of random configs. A landscape's target is the lowest RMSE that it ends
with there, the median of `--target-seeds` random searches; what counts is the device time until a
method has seen a value as low. The others end there too, but not before `--course` trainings, over
which the course of all is drawn. What stands between the recorded configs is said in
benchmarks/replay/curve_forest.py. A search that was simulated is kept in FOLDER/runs.jsonl, so a
call that was broken off goes on; where code has changed since, it needs another FOLDER. The ratios
come last.

`--learn-from` names recordings of other networks or galaxies. The method `galaxytune, taught`
learns from them as from earlier studies, and `galaxytune, misled` learns from the same configs
with reversed merits.

Syne Tune's ASHA, MOBSTER and HyperTune are asked where the python of another environment is
given, made with `pip install "syne-tune[gpsearchers]==0.13.0"` for Python 3.11: 0.14 and later
have neither MOBSTER nor HyperTune. These two take a second and more a proposal: their models'
own parameters are fitted at every fifth proposal only, they get `--slow-seeds` seeds, and they
end when they reach the target.
"""

import argparse
import itertools
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from analysis.figures import save_figure
from benchmarks.replay.comparison import (
    Times,
    TimeToTarget,
    ratio_of,
    regrets,
    times_of_all,
    times_to_target,
    write_csv,
)
from benchmarks.replay.curve_forest import CurveForest
from benchmarks.replay.earlier_recordings import earlier_recordings
from benchmarks.replay.methods import OURS, RANDOM, SLOW, makers
from benchmarks.replay.recorded_curves import RecordedCurves
from benchmarks.replay.regret_figure import regret_figure
from benchmarks.replay.runs import Landscape, Runs, Search
from search_spaces.declaration import InvalidInput


def seconds_per_training(recorded: RecordedCurves) -> float:
    """Device seconds of a whole training, the mean over recorded configs."""
    return float(np.nanmean(recorded.seconds)) * recorded.num_epochs


def searches(
    methods: Iterable[str], workers: Iterable[int], seeds: int, budget: float
) -> list[Search]:
    """One search for each of them, to the budget's end."""
    return [
        Search(method, num_workers, seed, budget)
        for method, num_workers, seed in itertools.product(methods, workers, range(seeds))
    ]


def describe(recorded: RecordedCurves, landscape: Landscape) -> None:
    """Print what is searched, and how well what stands between the configs is known."""
    print(
        f"{len(recorded)} configs of {recorded.architecture} x {recorded.num_epochs} epochs, "
        f"{int(recorded.diverged.sum())} diverged; {landscape.metric} from "
        f"{np.nanmin(recorded.rmse):.4f}, published {np.nanmin(recorded.rmse[0]):.4f}; a whole "
        f"training takes {seconds_per_training(recorded):.0f} s"
    )
    if landscape.source == "forest":
        error = CurveForest(recorded).error
        print(
            f"forest of all of them, 10-fold: the lowest RMSE of a config missed by "
            f"{error.rmse:.4f}, rank correlation {error.rank_correlation:.2f}, "
            f"{error.explained:.0%} of variance"
        )


def line(row: TimeToTarget) -> str:
    """A row of the printed table."""
    return (
        f"{row.num_workers:3d} {row.method:28s} {row.num_reached:2d}/{row.num_seeds:2d} "
        f"{row.median:7.1f} [{row.low:.1f}, {row.high:.1f}]  "
        f"{row.speed_up:.2f}x [{row.speed_up_low:.2f}, {row.speed_up_high:.2f}]"
    )


def print_ratios(times: dict[tuple[str, int], Times], num_landscapes: int) -> None:
    """Each other method's device time over galaxytune's, by workers, with 95 % intervals."""
    for num_workers in sorted({number for _, number in times}):
        ours = times.get((OURS, num_workers))
        for (method, number), theirs in sorted(times.items()):
            if ours is None or number != num_workers or method == OURS:
                continue
            ratio, low, high = ratio_of(theirs, ours, num_landscapes)
            print(
                f"{num_workers:3d} workers: {method} takes {ratio:.2f} times as long as "
                f"galaxytune [{low:.2f}, {high:.2f}]"
            )


def random_targets(
    runs: Runs, landscape: Landscape, arguments: argparse.Namespace, budget: float
) -> list[float]:
    """Return the lowest RMSE of random search in each landscape, as a median of some searches."""
    seeds = landscape.num_variants * arguments.target_seeds
    found = runs.get(searches([RANDOM], [1], seeds, budget), arguments.processes)
    ends: dict[int, list[float]] = {}
    for search, outcome in found.items():
        ends.setdefault(landscape.variant(search.seed), []).append(outcome.best[-1])
    return [float(np.median(ends[variant])) for variant in sorted(ends)]


def compare(arguments: argparse.Namespace, folder: Path) -> None:
    """Simulate what is missing and report."""
    landscape = Landscape(
        arguments.curves,
        arguments.metric,
        arguments.source,
        num_variants=arguments.landscapes,
        learn_from=tuple(arguments.learn_from),
    )
    recorded = landscape.read()
    describe(recorded, landscape)
    training = seconds_per_training(recorded)
    budget = arguments.trials * training
    runs = Runs(folder / "runs.jsonl", landscape, arguments.syne_tune)
    earlier = earlier_recordings(landscape.learn_from, landscape.metric)
    known = makers(arguments.syne_tune, earlier)
    methods = [m for m in known if m in (arguments.methods or [m])]
    outcomes = runs.get(
        searches([RANDOM], arguments.workers, arguments.seeds, budget), arguments.processes
    )
    targets = random_targets(runs, landscape, arguments, budget)
    course = arguments.course * training

    def ending(names: list[str], seeds: int, least: float) -> list[Search]:
        wanted = searches(names, arguments.workers, seeds, budget)
        return [replace(s, target=targets[landscape.variant(s.seed)], least=least) for s in wanted]

    fast = [m for m in methods if m not in {*SLOW, RANDOM}]
    outcomes |= runs.get(ending(fast, arguments.seeds, course), arguments.processes)
    slow = runs.get(
        ending([m for m in methods if m in SLOW], arguments.slow_seeds, 0.0), arguments.processes
    )
    rows = times_to_target(outcomes | slow, targets, training)
    times = times_of_all(outcomes | slow, targets, training)
    points = list(regrets(outcomes, targets, course, training))
    write_csv(folder / "times.csv", rows)
    write_csv(folder / "regret.csv", points)
    save_figure(regret_figure(points), folder, "regret")
    print(f"targets {min(targets):.4f} to {max(targets):.4f}")
    print("device time in whole trainings, median [95 % interval]")
    print("\n".join(line(row) for row in rows))
    print_ratios(times, len(targets))


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("curves", type=Path)
    parser.add_argument("--out", type=Path, help="default: a temporary folder")
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--slow-seeds", type=int, default=10)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--trials", type=int, default=100, help="of random search")
    parser.add_argument("--landscapes", type=int, default=10, help="1: all configs in one")
    parser.add_argument("--target-seeds", type=int, default=10, help="of random search, in each")
    parser.add_argument("--course", type=float, default=30, help="trainings that are drawn")
    parser.add_argument("--methods", nargs="+", help="default: all")
    parser.add_argument("--learn-from", type=Path, nargs="+", default=[], help="recordings")
    parser.add_argument("--metric", default="val_rmse", help="a column of the recording")
    parser.add_argument("--source", choices=("forest", "nearest"), default="forest")
    parser.add_argument("--syne-tune", type=Path, help="the python that has Syne Tune 0.13")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="under a minute: few seeds")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.seeds, arguments.trials, arguments.workers = 3, 20, [1, 4]
        arguments.course, arguments.landscapes, arguments.target_seeds = 5, 3, 3
        arguments.syne_tune = None
    return arguments


def main() -> None:
    """Exit code 2 with one line for what is wrong with the arguments."""
    arguments = parsed()
    try:
        if arguments.out is not None:
            arguments.out.mkdir(parents=True, exist_ok=True)
            compare(arguments, arguments.out)
            return
        with tempfile.TemporaryDirectory() as folder:
            compare(arguments, Path(folder))
    except InvalidInput as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
