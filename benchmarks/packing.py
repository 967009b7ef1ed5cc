"""K configs of one architecture on one device: in K processes, in turn, or stacked as one.

    python benchmarks/packing.py [--quick] [--device cpu|cuda] [--architecture A ...] [--sizes 2 4]

Steps are whole training steps: drawing, augmentation, both passes, Adam. Prints galaxies a second
of all configs together, and last, for each network and K, the ratio to in turn. On a GPU seconds
are those of the clock; on a CPU they are a core's own (every process trains with one thread), so
that other work on the machine does not count.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import numpy as np
import torch

from search_spaces.declaration import TrainingProtocol, config_from_values
from trainables.galaxies import DEFAULT_CROP, Galaxies
from trainables.packs.packing_speed import SIZES, like, measured_split, seconds_per_step
from trainables.simulation import simulate_galaxies
from trainables.training import TrainingRun

NETWORKS = ("vision_transformer", "simple_cnn", "parallel_cnn")
SMALL = {
    "vision_transformer": {"width": 0.25, "depth": 4},
    "simple_cnn": {"width": 0.25},
    "parallel_cnn": {"width": 0.1},
}


def made_galaxies(num_galaxies: int = 64) -> Galaxies:
    """Return simulated galaxies; a step costs the same whatever the galaxies look like."""
    toys = simulate_galaxies(num_galaxies, seed=1)
    return Galaxies(
        images=toys.images,
        target=toys.target,
        ids=toys.ids,
        unbiased=None,
        num_votes=toys.num_votes,
        crop=DEFAULT_CROP,
        identity="simulated for a benchmark",
    )


def make_config(name: str, arguments: argparse.Namespace) -> TrainingProtocol:
    """The published config, or a small one; each in batches of one size."""
    own = SMALL[name] if arguments.quick else {}
    values = {"architecture": name, "batch_size": arguments.batch_size, **own}
    return config_from_values({**values, "precision": arguments.precision})


def clock_of(device: str) -> Callable[[], float]:
    """Return the clock that counts the seconds: the wall clock on a GPU, else the CPU time."""
    return time.monotonic if device == "cuda" else time.process_time


def work(arguments: argparse.Namespace) -> None:
    """One of K processes: warm up, wait for a line, train, print begin and end."""
    (name,) = arguments.architecture
    config = make_config(name, arguments)
    galaxies, device = made_galaxies(), torch.device(arguments.device)
    split = measured_split(len(galaxies), config.batch_size, arguments.steps)
    run = TrainingRun(like(config, 1)[0], galaxies, split, device)
    run.run_epoch()
    print("ready", flush=True)
    sys.stdin.readline()
    clock = clock_of(arguments.device)
    started = clock()
    run.run_epoch()
    print(json.dumps([started, clock()]), flush=True)


def in_processes(name: str, size: int, arguments: argparse.Namespace) -> float:
    """Seconds of a GPU from the first begin to the last end, of CPUs all together, by the step.

    Infinitely many where memory does not hold all of them.
    """
    command = [sys.executable, __file__, "--worker", "--architecture", name]
    for option in ("device", "steps", "batch_size", "precision"):
        command += [f"--{option.replace('_', '-')}", str(getattr(arguments, option))]
    command += ["--quick"] if arguments.quick else []
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(size)
    ]
    ready = [process.stdout is not None and process.stdout.readline() for process in processes]
    if not all(ready):
        for process in processes:
            process.kill()
            process.wait()
        return float("inf")
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    times = np.array([json.loads(process.communicate()[0]) for process in processes])
    if arguments.device == "cuda":
        return float(times[:, 1].max() - times[:, 0].min()) / arguments.steps
    return float((times[:, 1] - times[:, 0]).sum()) / arguments.steps


def measure(name: str, arguments: argparse.Namespace) -> Iterator[str]:
    """Print the rates of one network; yields its ratios."""
    config, galaxies = make_config(name, arguments), made_galaxies()

    def rate(size: int) -> float:
        seconds = seconds_per_step(
            like(config, size),
            galaxies,
            torch.device(arguments.device),
            steps=arguments.steps,
            clock=clock_of(arguments.device),
        )
        return 0.0 if seconds is None else size * config.batch_size / seconds

    # first of all, while this process is small: on a CPU it keeps the memory that it once had
    processes = {
        size: size * config.batch_size / in_processes(name, size, arguments)
        for size in arguments.sizes
    }
    for size, apart in processes.items():
        turn, stacked = rate(1), rate(size)  # anew, because a machine's speed drifts
        print(
            f"{name}, K = {size}: in turn {turn:.0f} galaxies a second, "
            f"in {size} processes {apart:.0f}, stacked {stacked:.0f}",
            flush=True,
        )
        yield (
            f"{name}, K = {size}: {size} processes {apart / turn:.2f}, "
            f"stacked {stacked / turn:.2f} times as fast as in turn"
        )


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--architecture", nargs="+", choices=NETWORKS, default=NETWORKS)
    parser.add_argument("--sizes", nargs="+", type=int, default=None)
    parser.add_argument("--batch-size", type=int, default=None)
    parser.add_argument("--steps", type=int, default=None, help="steps of each config")
    parser.add_argument("--precision", default="auto", choices=("auto", "float32", "bfloat16"))
    parser.add_argument("--quick", action="store_true", help="under a minute: small networks")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    arguments.sizes = arguments.sizes or ((2,) if arguments.quick else SIZES)
    arguments.batch_size = arguments.batch_size or (16 if arguments.quick else 64)
    arguments.steps = arguments.steps or (20 if arguments.device == "cuda" else 2)
    if arguments.device == "cpu":
        torch.set_num_threads(1)
    if arguments.worker:
        return work(arguments)
    print(
        f"torch {torch.__version__}, {torch.get_num_threads()} thread(s), {arguments.device}, "
        f"{arguments.precision}, batches of {arguments.batch_size}"
    )
    ratios = [ratio for name in arguments.architecture for ratio in measure(name, arguments)]
    print("\n".join(ratios))


if __name__ == "__main__":
    main()
