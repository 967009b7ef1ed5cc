"""How to divide a processor: a trial a core, or all cores for one trial.

    python benchmarks/cpus_per_trial.py galaxies.npz [--quick]

For each network as many processes as there are cores train at once, each on one thread, and in
turns with them one process on as many threads. Printed are images a second of all processes
together, and the ratio last.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

from throughput import OWN, Contender, started


def together(contenders: Sequence[Contender], num_batches: int) -> float:
    """Images a second of all of them, at work at once."""
    with ThreadPoolExecutor(len(contenders)) as threads:
        speeds = threads.map(lambda contender: contender.train(num_batches)[0], contenders)
        return sum(speeds)


def compare(name: str, arguments: argparse.Namespace) -> str:
    """Measure one network; returns the line with the ratio."""
    cores = len(os.sched_getaffinity(0))
    task = {
        "data": str(arguments.data.resolve()),
        "device": "cpu",
        "config": {"architecture": name},
    }
    task |= {"workers": 0, "warm_up": 1}

    def contender(threads: int) -> Contender:
        return started("galaxytune", sys.executable, "contender.py", {**task, "threads": threads})

    sides = [[contender(1) for _ in range(cores)], [contender(cores)]]
    try:
        one = together(sides[1], 1)  # images/s, to know how many batches fill a round
        count = max(1, round(arguments.seconds * one / 64))
        rounds = [[together(side, count) for side in sides] for _ in range(arguments.rounds)]
    finally:
        for side in sides:
            for process in side:
                process.end()
    many, single = (median(speeds) for speeds in zip(*rounds))
    print(f"{name}: {cores} trials of one core {many:.1f} images/s, one of {cores} {single:.1f}")
    return f"{name}: a trial a core trains {many / single:.2f} times as many images"


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
