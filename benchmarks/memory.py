"""Resident memory of a node per added trial, with as many galaxies as Kaggle's challenge has.

    python benchmarks/memory.py [--galaxies 61578] [--trials 1 2 4 8 16] [--quick]

Each trial is a process of its own that opens the galaxies as a worker does, trains a small simple
CNN for one short epoch, reads every image once in random batches, and waits. Its memory is read
from /proc/PID/smaps_rollup, that of the galaxy file's mapping from /proc/PID/smaps. Beside it the
usual way: `numpy.load` of the same file. The ratio is printed last.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from benchmarks.simulated_training import NETWORK, environment

MIB = 1 << 20
SIDE = 64  # pixels


def make_file(path: Path, num_galaxies: int) -> None:
    """Write noise as galaxies; what the pixels are changes no memory."""
    from trainables.decision_tree import NUM_ANSWERS
    from trainables.galaxies import save_galaxies

    chance = np.random.default_rng(0)
    shape = (num_galaxies, SIDE, SIDE, 3)
    images = chance.integers(0, 256, shape, dtype=np.uint8)
    target = chance.random((num_galaxies, NUM_ANSWERS), dtype=np.float32)
    save_galaxies(path, {"images": images, "target": target, "ids": np.arange(num_galaxies)})


def trial(path: Path, way: str) -> None:
    """Be one trial: say when everything has been read, then wait for the end of the input."""
    import torch
    from ray import tune  # noqa: F401, TID251  a worker has it loaded, too

    from search_spaces.declaration import config_from_values
    from trainables.galaxies import Split, open_galaxies
    from trainables.training import TrainingRun

    torch.set_num_threads(1)
    galaxies = open_galaxies(path)
    images = galaxies.images if way == "mapped" else np.load(path)["images"]
    rows = np.arange(640)
    split = Split(training=rows[:512], validation=rows[512:], test=rows[:0])
    run = TrainingRun(config_from_values(NETWORK), galaxies, split, torch.device("cpu"))
    run.run_epoch()
    order = np.random.default_rng(os.getpid()).permutation(len(galaxies))
    total = sum(int(images[np.sort(batch)].sum()) for batch in np.array_split(order, 500))
    print(f"read {total}", flush=True)
    sys.stdin.read()


@dataclass(frozen=True)
class Memory:
    """The memory of one process, in MiB.

    share: its proportional part of everything (Pss); own: pages nobody else has; images: its
    part of the galaxy file's mapping, and images_own what of that nobody shares.
    """

    share: float
    own: float
    images: float
    images_own: float


def memory_of(process: int, file: Path) -> Memory:
    """Read a process's memory from Linux's /proc."""
    whole = _sizes(Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()[1:])
    mapping: list[str] = []
    inside = False
    for line in Path(f"/proc/{process}/smaps").read_text().splitlines():
        if not line.split(None, 1)[0].endswith(":"):  # the head of a mapping, not a size
            inside = line.endswith(str(file))
        elif inside:
            mapping.append(line)
    images = _sizes(mapping)
    return Memory(
        share=whole["Pss"],
        own=whole["Private_Clean"] + whole["Private_Dirty"],
        images=images["Pss"],
        images_own=images["Private_Clean"] + images["Private_Dirty"],
    )


def _sizes(lines: list[str]) -> dict[str, float]:
    """Sums in MiB of lines such as `Pss:  12 kB`."""
    sums = dict.fromkeys(("Pss", "Private_Clean", "Private_Dirty"), 0.0)
    for line in lines:
        name, _, size = line.partition(":")
        if name in sums:
            sums[name] += int(size.split()[0]) / 1024
    return sums


def start(file: Path, way: str) -> subprocess.Popen[str]:
    """Start a trial and wait until it has read everything."""
    command = [sys.executable, __file__, "--trial", way, "--file", str(file)]
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        command, stdin=pipe, stdout=pipe, text=True, env=environment(file.parent)
    )
    assert process.stdout is not None
    if not process.stdout.readline().startswith("read"):
        raise RuntimeError(f"a trial ended with exit code {process.wait()}")
    return process


def totals(file: Path, way: str, numbers: list[int]) -> list[float]:
    """Print the memory of so many trials at once; returns each sum of their shares in MiB."""
    processes: list[subprocess.Popen[str]] = []
    sums = []
    try:
        for number in numbers:
            while len(processes) < number:
                processes.append(start(file, way))
            held = [memory_of(process.pid, file) for process in processes]
            sums.append(sum(m.share for m in held))
            own, own_images = np.mean([(m.own, m.images_own) for m in held], axis=0)
            print(
                f"{way}, {number} trials: {sums[-1]:.0f} MiB in all, "
                f"of it mapped images {sum(m.images for m in held):.0f}; a process has "
                f"{own:.0f} MiB to itself, of it mapped images {own_images:.1f}",
                flush=True,
            )
    finally:
        for process in processes:
            process.communicate()
    return sums


def added(sums: list[float], numbers: list[int]) -> float:
    """MiB that a trial adds to those that are there."""
    return (sums[-1] - sums[0]) / (numbers[-1] - numbers[0])


def main() -> None:
    """Measure both ways, print the ratio last."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--galaxies", type=int, default=61_578)
    parser.add_argument("--trials", type=int, nargs="+", default=[1, 2, 4, 8, 16])
    parser.add_argument("--quick", action="store_true", help="under a minute: fewer of both")
    parser.add_argument("--trial", choices=("mapped", "loaded"), help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.trial:
        return trial(arguments.file, arguments.trial)
    if arguments.quick:
        arguments.trials = [1, 3]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "g.npz"
        make_file(file, arguments.galaxies)
        size = arguments.galaxies * SIDE * SIDE * 3 / MIB
        print(f"{datetime.now(UTC):%Y-%m-%d}, {arguments.galaxies} galaxies, {size:.0f} MiB")
        mapped = added(totals(file, "mapped", arguments.trials), arguments.trials)
        loaded = added(totals(file, "loaded", [1, 2]), [1, 2])
    print(f"an added trial takes {mapped:.0f} MiB, with images loaded by numpy {loaded:.0f} MiB")
    print(f"the usual way takes {loaded / mapped:.1f} times as much a trial")


if __name__ == "__main__":
    main()
