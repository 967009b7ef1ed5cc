"""Measure the accuracy that bfloat16 costs: the final RMSE of the same configs in both precisions.

    python benchmarks/precision.py galaxies.npz --architecture simple_cnn [--quick]

Each seed (weights, order, augmentation, dropout) is trained in float32 and in bfloat16; the split
is the same for all. Printed last is the mean difference between the two, its standard error over
the seeds, and how much one precision's own results differ between seeds.
"""

import argparse
import math
from pathlib import Path
from statistics import mean, stdev

import torch

from galaxytune.cli.plan_options import parse_settings
from search_spaces.declaration import config_from_values
from trainables.galaxies import Galaxies, Split, open_galaxies, split_galaxies
from trainables.training import TrainingRun


def final_rmse(
    values: dict, galaxies: Galaxies, split: Split, device: torch.device
) -> tuple[float, float]:
    """Validation RMSE of the best epoch, and seconds an epoch."""
    run = TrainingRun(config_from_values(values), galaxies, split, device)
    while run.finished is None:
        run.run_epoch()
    best = min(report.val_rmse for report in run.reports)
    return best, mean(report.seconds for report in run.reports)


def main() -> None:
    """Train every seed twice."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--architecture", default="simple_cnn")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--num-galaxies", type=int, default=2500, help="of the file, in all")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=0, help="to add to an earlier call")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--quick", action="store_true", help="under a minute")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.num_galaxies, arguments.epochs, arguments.seeds = 800, 4, 2
    torch.set_num_threads(arguments.threads)
    galaxies = open_galaxies(arguments.data)
    split = split_galaxies(galaxies, "hash", arguments.num_galaxies)
    sizes = len(split.training), len(split.validation)
    print(f"{arguments.architecture} {arguments.set}: {sizes} galaxies, {arguments.epochs} epochs")
    found: dict[str, list[float]] = {"float32": [], "bfloat16": []}
    for seed in range(arguments.first_seed, arguments.first_seed + arguments.seeds):
        for precision, errors in found.items():
            values = {"architecture": arguments.architecture, "epochs": arguments.epochs}
            values |= {**parse_settings(arguments.set), "seed": seed, "precision": precision}
            error, seconds = final_rmse(values, galaxies, split, torch.device(arguments.device))
            errors.append(error)
            print(f"seed {seed}, {precision}: {error:.5f}, {seconds:.1f} s an epoch", flush=True)
    differences = [low - full for full, low in zip(found["float32"], found["bfloat16"])]
    error = stdev(differences) / math.sqrt(len(differences))
    print(
        f"bfloat16 less float32: {mean(differences):+.5f} with a standard error of {error:.5f}; "
        f"seeds differ by {stdev(found['float32']):.5f} in float32 (a standard deviation)"
    )


if __name__ == "__main__":
    main()
