"""Measure the time that cached frozen features save in a trial of the head, and their disk space.

    python benchmarks/frozen_features.py galaxies.npz [--quick]

Trains each network's head for some epochs without and with the cache, in one process, and prints
the ratio of seconds an epoch last.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from search_spaces.declaration import config_from_values
from trainables.device import training_device
from trainables.galaxies import open_galaxies, split_galaxies
from trainables.training import TrainingRun
from trainables.training.beginning import initial_network

STILL = {"rotation_degrees": 0, "shift_fraction": 0, "zoom_fraction": 0}


def seconds(architecture: str, data: Path, arguments: argparse.Namespace, cached: bool) -> tuple:
    """Seconds of making the run (features included) and of each epoch; its last report."""
    galaxies = open_galaxies(data)
    config = config_from_values(
        {
            "architecture": architecture,
            "weights": "none",
            "input_side": arguments.side,
            "cache_frozen_features": cached,
            **STILL,
        }
    )
    split = split_galaxies(galaxies, "hash", arguments.num_galaxies)
    initial_network(config)  # a first time is slower, for reasons that are not measured here
    started = time.perf_counter()
    run = TrainingRun(config, galaxies, split, training_device())
    made = time.perf_counter() - started
    epochs = [run.run_epoch().seconds for _ in range(arguments.epochs)]
    return made, float(np.median(epochs)), len(split.training) + len(split.validation)


def measure(architecture: str, arguments: argparse.Namespace) -> float:
    """Print the costs of one network; returns how many times faster an epoch is."""
    with tempfile.TemporaryDirectory() as cache:
        os.environ["GALAXYTUNE_CACHE"] = cache
        made_plain, plain, _ = seconds(architecture, arguments.data, arguments, cached=False)
        made, cached, num_galaxies = seconds(architecture, arguments.data, arguments, cached=True)
        made_again, _, _ = seconds(architecture, arguments.data, arguments, cached=True)
        stored = sum(p.stat().st_size for p in Path(cache).glob("features/*.npy"))
    print(
        f"{architecture} at {arguments.side} pixels, {num_galaxies} galaxies: "
        f"{plain:.2f} s an epoch without, {cached:.3f} s with; features computed in "
        f"{made - made_plain:.1f} s, found again in {max(0.0, made_again - made_plain):.2f} s; "
        f"{stored / num_galaxies / 1024:.1f} KiB a galaxy on disk"
    )
    return plain / cached


def main() -> None:
    """Measure both networks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--side", type=int, default=224)
    parser.add_argument("--num-galaxies", type=int, default=400)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="under a minute: small images")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.side, arguments.num_galaxies, arguments.epochs = 64, 200, 2
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {training_device()}")
    ratios = {name: measure(name, arguments) for name in ("resnet50", "vgg16")}
    for name, ratio in ratios.items():
        print(f"{name}: an epoch on cached features takes 1/{ratio:.0f} of the time")


if __name__ == "__main__":
    main()
