"""Measure how a driver's memory grows, and how long it takes to propose, over 5,000 trials.

    python benchmarks/long_driver.py [--trials 5000] [--method galaxytune|stock] [--out FILE.json]
    python benchmarks/long_driver.py --quick

Each driver runs in a process of its own on a real Ray of two CPUs. The trials report simulated
epochs at once, without training. All else is real: galaxytune's study has its ledger, journal,
files, halving and sampler with a plan's defaults; stock Ray Tune has OptunaSearch, whose study is
in memory, ASHA and the default loggers. Both draw from the same search space and use their workers
again.

The memory is the resident memory of the driver's process, after every 250 new trials, in MB (10^6
bytes). The growth is the slope of the least squares line through what was measured from 500 trials
on. The time of a suggestion is that of the searcher's `suggest` for a new trial. galaxytune's
`suggest` also writes the config to disk; the suggestions of paused trials that go on do not count.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.kept_trainings import run_or_tell
from benchmarks.long_driver_parts.watched_driver import DRIVERS, WATCHED
from benchmarks.simulated_training import environment, make_galaxies
from search_spaces.declaration import InvalidInput, WorkFailed

_EVERY, _SKIPPED, _FEWEST = 250, 500, 1000  # trials
_QUICK_EVERY, _QUICK_SKIPPED, _QUICK_TRIALS = 10, 20, 60
_LARGEST_GROWTH, _LONGEST_SUGGESTION = 50, 20  # MB a 1,000 trials, ms: what galaxytune is to reach


def growth(memory: Sequence[tuple[int, float]], skipped: int) -> float:
    """Return the growth of the memory in MB a 1,000 trials, by least squares.

    memory: pairs of a number of trials and the memory in MB. skipped: the pairs of fewer trials
    are left out; ValueError is raised if fewer than two pairs are left.
    """
    trials, resident = np.array([pair for pair in memory if pair[0] >= skipped], dtype=float).T
    if len(trials) < 2:
        raise ValueError("a line needs two points")
    return float(1000 * np.polyfit(trials, resident, 1)[0])


def watched(method: str, trials: int, every: int) -> dict[str, Any]:
    """Run a driver in a process of its own; return what was noted, with the seconds of the whole.

    WorkFailed is raised if the driver fails.
    """
    script = Path(__file__).parent / "long_driver_parts" / "watched_driver.py"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_galaxies(folder, 200)
        began = time.monotonic()
        command = [sys.executable, script, method, folder, "--trials", trials, "--every", every]
        done = subprocess.run(
            [*map(str, command)],
            cwd=folder,
            env=environment(folder),
            capture_output=True,
            text=True,
        )
        if done.returncode:
            last = done.stderr.strip().splitlines()[-1:]
            raise WorkFailed(f"the driver of {method} failed: {''.join(last)}")
        noted = json.loads((folder / WATCHED).read_text())
        return {"whole_seconds": time.monotonic() - began, **noted}


def summary(noted: Mapping[str, Any], skipped: int) -> dict[str, float]:
    """Return what the table shows of a driver: MB a 1,000 trials, and times in ms."""
    times = 1000 * np.array(noted["seconds"])
    late = times[-max(1, len(times) // 5) :]
    return {
        "growth_mb_per_1000_trials": growth(noted["memory"], skipped),
        "suggestion_median_ms": float(np.median(times)),
        "suggestion_95_percent_ms": float(np.quantile(times, 0.95)),
        "suggestion_median_of_the_last_fifth_ms": float(np.median(late)),
    }


def table(found: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yield the lines of two tables: what was measured in all, and the memory by trials."""
    yield "| driver | growth, MB a 1,000 trials | suggestion, median | 95 % | last fifth | whole |"
    yield "|---|---|---|---|---|---|"
    for method, noted in found.items():
        grown, *times = noted["summary"].values()
        cells = [
            f"{grown:.1f}",
            *(f"{t:.1f} ms" for t in times),
            f"{noted['whole_seconds']:.0f} s",
        ]
        yield f"| {method} | {' | '.join(cells)} |"
    yield ""
    yield f"| trials | {' | '.join(f'{method}, MB' for method in found)} |"
    yield "|---" * (len(found) + 1) + "|"
    for rows in zip(*(noted["memory"] for noted in found.values())):
        yield f"| {rows[0][0]} | {' | '.join(f'{resident:.0f}' for _, resident in rows)} |"


def measure(arguments: argparse.Namespace) -> None:
    """Run the drivers one after the other, print the tables, and write the file."""
    trials, every, skipped = arguments.trials, _EVERY, _SKIPPED
    if arguments.quick:
        trials, every, skipped = _QUICK_TRIALS, _QUICK_EVERY, _QUICK_SKIPPED
    elif trials < _FEWEST:
        raise InvalidInput(f"--trials must be at least {_FEWEST}, got {trials}; or give --quick")
    print(f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} CPU cores, {trials} trials", flush=True)
    found: dict[str, dict[str, Any]] = {}
    for method in DRIVERS if arguments.method is None else (arguments.method,):
        noted = watched(method, trials, every)
        found[method] = {"summary": summary(noted, skipped), **noted}
        if arguments.out is not None:
            arguments.out.write_text(json.dumps(found, indent=2))
    print(*table(found), sep="\n")
    if "galaxytune" in found:
        own = found["galaxytune"]["summary"]
        is_small = own["growth_mb_per_1000_trials"] < _LARGEST_GROWTH
        is_soon = own["suggestion_median_ms"] < _LONGEST_SUGGESTION
        print(
            f"\ngalaxytune: growth under {_LARGEST_GROWTH} MB {'yes' if is_small else 'NO'}, "
            f"suggestion under {_LONGEST_SUGGESTION} ms {'yes' if is_soon else 'NO'}"
        )


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=5000)
    parser.add_argument("--method", choices=DRIVERS, help="by default both")
    parser.add_argument("--out", type=Path, help="JSON file of all that was measured")
    parser.add_argument("--quick", action="store_true", help="60 trials, under two minutes")
    arguments = parser.parse_args()
    run_or_tell(measure, arguments)


if __name__ == "__main__":
    main()
