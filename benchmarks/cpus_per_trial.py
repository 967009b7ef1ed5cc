"""Compare two ways to divide a processor: one core for each trial, or all cores for one trial.

    python benchmarks/cpus_per_trial.py galaxies.npz [--quick]

For each network four ways take turns, round by round: galaxytune and the usual way (see
throughput.py), either as many processes of one thread as there are cores, all at work at once, or
one process of as many threads. The usual way's DataLoader has workers where one process trains,
and none where each core has a training of its own. Printed are images a second of all processes of
a way together, and ratios last.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.throughput import OWN, Contender, started
from search_spaces.declaration import config_from_values


def together(contenders: Sequence[Contender], num_batches: int) -> float:
    """Images a second of all of them, at work at once."""
    with ThreadPoolExecutor(len(contenders)) as threads:
        speeds = threads.map(lambda contender: contender.train(num_batches)[0], contenders)
        return sum(speeds)


def ways(name: str, cores: int, data: Path) -> dict[tuple[str, str], list[Contender]]:
    """The processes of each way, by whose it is and how it divides the cores, ours first."""
    task: dict[str, Any] = {
        "data": str(data.resolve()),
        "device": "cpu",
        "config": {"architecture": name},
    }
    task |= {"warm_up": 1}
    found: dict[tuple[str, str], list[Contender]] = {}
    for whose in ("galaxytune", "usual"):
        for how, processes in (("a trial a core", cores), (f"one trial on {cores} cores", 1)):
            parts = {"threads": cores // processes, "workers": cores if processes == 1 else 0}
            found[whose, how] = [
                started(whose, sys.executable, "contender.py", {**task, **parts})
                for _ in range(processes)
            ]
    return found


def compare(name: str, arguments: argparse.Namespace) -> str:
    """Measure one network; returns the lines with the ratios."""
    sides = ways(name, len(os.sched_getaffinity(0)), arguments.data)
    try:
        # images/s of a first batch, to know how many fill a round
        first = {way: together(side, 1) / len(side) for way, side in sides.items()}
        batch = config_from_values({"architecture": name}).batch_size
        count = {way: max(1, round(arguments.seconds * v / batch)) for way, v in first.items()}
        rounds: dict[tuple[str, str], list[float]] = {way: [] for way in sides}
        for _ in range(arguments.rounds):
            for way, side in sides.items():
                rounds[way].append(together(side, count[way]))
    finally:
        for side in sides.values():
            for process in side:
                process.end()
    speeds = {way: median(seen) for way, seen in rounds.items()}
    for way, seen in rounds.items():
        said = ", ".join(f"{speed:.1f}" for speed in seen)
        print(f"{name}, {', '.join(way)}: {speeds[way]:.1f} images/s (rounds {said})")
    ours, one, theirs, their_one = speeds.values()
    return (
        f"{name}: a trial a core trains {ours / one:.2f} times as many images as one trial on all "
        f"cores, {ours / theirs:.2f} times as many as the usual way on a core each, "
        f"{ours / their_one:.2f} times as many as the usual way on all cores"
    )


def main() -> None:
    """Compare all that is asked for; ratios last."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--architectures", nargs="*", default=OWN, choices=OWN)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5.0, help="of a round, about")
    parser.add_argument("--quick", action="store_true", help="under a minute")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.architectures, arguments.rounds, arguments.seconds = ["simple_cnn"], 2, 1.0
    print("\n".join([compare(name, arguments) for name in arguments.architectures]))


if __name__ == "__main__":
    main()
