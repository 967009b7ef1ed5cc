"""Seconds a trial that are not training, galaxytune beside the stock Ray Tune stack.

    python benchmarks/overhead.py [--trials 30] [--numbers 100 1000 5000] [--quick]
    python benchmarks/overhead.py --long 5000

Four measurements: from a trial's end to the next one's first step, on a real Ray; a suggestion, a
report and a record after so many trials, without Ray; where a worker's first trial spends its
time; the start of the command line and of a search. All is real (ledger, journal, files, Tune,
networks built, galaxies opened) but for the epochs. `--long` runs galaxytune's gap alone, over so
many trials, and shows how it grows. Ratios are printed last.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from benchmarks.overhead_books import compare_books
from benchmarks.simulated_training import MARKS, environment, gaps, make_galaxies, moments

GALAXYTUNE = str(Path(sys.executable).with_name("galaxytune"))
FIRST_TRIAL = """
import time
moments = [("", time.perf_counter())]
def did(what): moments.append((what, time.perf_counter()))
import torch; did("import torch")
import ray.tune; did("import ray.tune")
import trainables.trial.tune_trainable as trial; did("import the rest of trainables.trial")
from search_spaces.declaration import config_from_values
config = config_from_values({"architecture": "simple_cnn"}); did("read the config")
galaxies, split = trial._galaxies("g.npz", "split.npz"); did("open and check the galaxies")
from trainables.training import TrainingRun
run = TrainingRun(config, galaxies, split, torch.device("cpu")); did("build the network")
for (_, before), (what, after) in zip(moments, moments[1:]):
    print(f"  {1000 * (after - before):7.1f} ms  {what}")
"""


def process(folder: Path, *command: object) -> tuple[float, str]:
    """Run a command in the folder; its seconds and output. RuntimeError with its last line."""
    started = time.time()
    done = subprocess.run(
        [*map(str, command)], cwd=folder, env=environment(folder), capture_output=True, text=True
    )
    if done.returncode:
        raise RuntimeError(f"{command} failed: {done.stderr.strip().splitlines()[-1:]}")
    return time.time() - started, done.stdout


def experiment(folder: Path, side: str, trials: int) -> list[float]:
    """Run one experiment in a process of its own; returns its gaps in seconds, in order."""
    place = folder / side
    place.mkdir()
    for name in ("g.npz", "split.npz"):
        os.link(folder / name, place / name)
    driver = Path(__file__).with_name("overhead_driver.py")
    started = time.time()
    seconds, _ = process(place, sys.executable, driver, place, side, "--trials", trials)
    found = gaps(place / MARKS)
    first = moments(place / MARKS, "ready")[0] - started
    print(
        f"{side}, {trials} trials: {median(found):.3f} s from a trial's end to the next one's "
        f"first step ({min(found):.3f} to {max(found):.3f}); {first:.1f} s to the very first "
        f"step, {seconds:.0f} s in all",
        flush=True,
    )
    return found


def compare_gaps(folder: Path, trials: int, is_quick: bool) -> Iterator[str]:
    """Measure the gap of ours and of stock Tune, if there is time of both its ways."""
    ours = median(experiment(folder, "galaxytune", trials))
    plain = median(experiment(folder, "stock", 2 if is_quick else max(4, trials // 3)))
    yield f"a trial's end to the next first step: stock as shipped takes {plain / ours:.1f} times"
    if not is_quick:
        reused = median(experiment(folder, "stock-reused", trials))
        yield f"the same, stock with reused actors: {reused / ours:.1f} times"


def growth(folder: Path, trials: int) -> str:
    """Run galaxytune's side alone over many trials; returns how the gap grew."""
    found = experiment(folder, "galaxytune", trials)
    width = min(100, trials // 5)
    for first in [n for n in (0, 100, 300, 1000, 2000, 3000, 4000, 5000) if n + width <= trials]:
        print(f"  trials {first} to {first + width}: {median(found[first : first + width]):.3f} s")
    early, late = median(found[width // 2 : width * 2]), median(found[-width:])
    print(f"  last {width}: {late:.3f} s")
    return f"the gap after {trials} trials is {late / early:.2f} times that of the first"


def start_up(folder: Path, is_quick: bool) -> None:
    """Print how long `--help` takes and, if there is time, searches to their first steps."""
    helps = [process(folder, GALAXYTUNE, "--help")[0] for _ in range(5)]
    print(f"galaxytune --help: {median(helps):.2f} s")
    if is_quick:
        return
    firsts = sorted(first_step(folder, f"real{number}") for number in range(3))
    print(
        f"galaxytune search, from the command to its first step: {firsts[1]:.1f} s "
        f"({firsts[0]:.1f} to {firsts[2]:.1f})",
        flush=True,
    )


def first_step(folder: Path, name: str) -> float:
    """Seconds from the command `galaxytune search` to its first trial's first step."""
    options = f"--architecture simple_cnn --data g.npz --name {name} --trials 1 --epochs 1"
    started = time.time()
    process(
        folder, GALAXYTUNE, "search", *options.split(), "--local-cpus", 1, "--set", "width=0.1"
    )
    curve = folder / "studies" / name / "curves" / "00000.jsonl"
    (epoch,) = [json.loads(line) for line in curve.read_text().splitlines()]
    return float(curve.stat().st_mtime - epoch["seconds"] - started)


def main() -> None:
    """Measure, print the ratios last."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--numbers", type=int, nargs="+", default=[100, 1000, 5000])
    parser.add_argument("--long", type=int, help="only the growth of the gap over so many trials")
    parser.add_argument("--quick", action="store_true", help="under a minute")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.trials, arguments.numbers = 8, [100]
    print(f"{datetime.now(UTC):%Y-%m-%d}, {len(os.sched_getaffinity(0))} CPU cores")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_galaxies(folder, 200 if arguments.quick else 2000)
        if arguments.long:
            print(growth(folder, arguments.long))
            return
        start_up(folder, arguments.quick)
        print("a worker's first trial:")
        print(process(folder, sys.executable, "-c", FIRST_TRIAL)[1], end="", flush=True)
        ratios = [*compare_gaps(folder, arguments.trials, arguments.quick)]
        (folder / "books").mkdir()
        os.link(folder / "g.npz", folder / "books" / "g.npz")
        ratios += compare_books(folder / "books", arguments.numbers)
    print(*ratios, sep="\n")


if __name__ == "__main__":
    main()
