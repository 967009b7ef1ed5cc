"""Measure image sides and widths of the residual CNN against each other at equal device time.

    python benchmarks/sizes.py --out sizes [--data galaxies.npz] [--kaggle KAGGLE_FOLDER]
        [--minutes 20] [--seeds 3] [--sides 64 96 128] [--widths 1 1.5] [--num-simulated 3000]
    python benchmarks/sizes.py --out /tmp/sizes --quick

Up to three sets of galaxies are used:

- simulated: galaxies rendered at 128 pixels; smaller sides are reductions of the same images;
- data: the given galaxy file, whose images are enlarged for larger sides and then hold no more
  than before;
- kaggle: JPEG files, cut to `--crop` pixels and reduced to each side.

The networks are each side with the first width, and the first side with each other width. The time
of an epoch is measured first, processor time on a CPU and time on a GPU, and every network is
trained for as many epochs as fit into `--minutes`, so that its cosine schedule ends there. Test
galaxies are predicted once. Prints a table in Markdown for each set, also into OUT/table.md: mean
test RMSE over the seeds, and the difference from the first network with Student's interval over
seeds (pairs) and a bootstrap interval over galaxies. Called again, the benchmark goes on where it
ended.
"""

import argparse
import json
import os
import platform
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from analysis.statistics import mean_interval, resampled_rmses
from benchmarks.sizes_parts.galaxy_sets import GalaxySet, given_set, kaggle_set, simulated_set
from galaxytune.models import load_export, train_single
from search_spaces.declaration import InvalidInput, TrainingProtocol, config_from_values
from trainables.device import training_device
from trainables.files import write_atomically
from trainables.galaxies import fingerprint, open_galaxies, split_galaxies
from trainables.training import TrainingRun, predict, rmse

_RESAMPLES = 2000


@dataclass(frozen=True)
class Contender:
    """A network: the side of its images in pixels, and its width."""

    side: int
    width: float

    @property
    def name(self) -> str:
        """The name in tables and folders."""
        return f"{self.side}px-width{self.width:g}"

    def config(self, seed: int, epochs: int) -> TrainingProtocol:
        """Return the config of a training."""
        values = {"input_side": self.side, "width": self.width, "seed": seed, "epochs": epochs}
        return config_from_values({"architecture": "residual_cnn", **values})


def write_json(path: Path, values: Any) -> None:
    """Write values as JSON, whole or not at all."""
    write_atomically(path, lambda new: new.write_text(json.dumps(values, indent=2) + "\n"))


def contenders(sides: list[int], widths: list[float]) -> list[Contender]:
    """Return each side with the first width, then the first side with each other width."""
    by_side = [Contender(side, widths[0]) for side in sides]
    return by_side + [Contender(sides[0], width) for width in widths[1:]]


def seconds_of_an_epoch(contender: Contender, data: Path) -> float:
    """Return the device seconds of the second epoch; processor time on a CPU, time on a GPU."""
    galaxies, device = open_galaxies(data), training_device()
    split = split_galaxies(galaxies, "hash")
    run = TrainingRun(contender.config(0, 10), galaxies, split, device)
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    run.run_epoch()  # compiles and fills caches
    began = clock()
    run.run_epoch()
    return clock() - began


def epochs_of(contender: Contender, data: Path, folder: Path, minutes: float) -> int:
    """Return how many epochs fit into the minutes, at least 1; the measurement is kept."""
    path = folder / "epoch.json"
    if not path.exists():
        write_json(path, {"seconds": seconds_of_an_epoch(contender, data)})
    return max(1, round(60 * minutes / float(json.loads(path.read_text())["seconds"])))


def predictions(
    contender: Contender, data: Path, folder: Path, seed: int, epochs: int
) -> NDArray[np.float32]:
    """Return the fractions [N, 37] of the test galaxies by one training, which is kept."""
    out = folder / f"seed{seed}"
    path = out / "test_predictions.npy"
    if not path.exists():
        train_single(contender.config(seed, epochs), data, out)
        galaxies, device = open_galaxies(data), training_device()
        rows = split_galaxies(galaxies, "hash").test
        found = predict(load_export(out).network.to(device), galaxies.images, device, rows)
        save = path.with_suffix(".new.npy")
        np.save(save, found)
        save.replace(path)
    kept: NDArray[np.float32] = np.load(path)
    return kept


def difference(
    first: list[NDArray[np.float32]], other: list[NDArray[np.float32]], voted: NDArray[np.float32]
) -> str:
    """Return the mean difference of RMSE, other minus first, with its two intervals, as cells.

    first, other: predictions [N, 37] of each seed, in the same order. voted: fractions [N, 37].
    """
    paired = [rmse(b, voted) - rmse(a, voted) for a, b in zip(first, other)]
    drawn = resampled_rmses([*first, *other], voted, num_resamples=_RESAMPLES)
    num = len(first)
    means = drawn[:, num:].mean(axis=1) - drawn[:, :num].mean(axis=1)
    over_seeds = mean_interval(paired)
    seeds = "-" if over_seeds is None else f"{over_seeds[0]:+.5f} to {over_seeds[1]:+.5f}"
    low, high = np.quantile(means, [0.025, 0.975])
    return f"{np.mean(paired):+.5f} | {seeds} | {low:+.5f} to {high:+.5f}"


def table(galaxies: GalaxySet, arguments: argparse.Namespace) -> list[str]:
    """Train what is missing of one set of galaxies; return the lines of its table."""
    lines = [
        f"## {galaxies.name}: {galaxies.told}",
        "",
        "| network | epochs | s an epoch | test RMSE | difference | over seeds | over galaxies |",
        "|---|---|---|---|---|---|---|",
    ]
    base: list[NDArray[np.float32]] = []
    for contender in contenders(arguments.sides, arguments.widths):
        data = galaxies.file_of(contender.side)
        stored = open_galaxies(data)
        voted = stored.target[split_galaxies(stored, "hash").test]
        folder = arguments.out / galaxies.name / contender.name
        epochs = epochs_of(contender, data, folder, arguments.minutes)
        found = []
        for seed in range(arguments.seeds):
            found.append(predictions(contender, data, folder, seed, epochs))
            scored = rmse(found[-1], voted)
            told = f"{galaxies.name}, {contender.name}, seed {seed}: {epochs} epochs"
            print(f"{told}, test RMSE {scored:.5f}", file=sys.stderr, flush=True)
        base = base or found
        seconds = json.loads((folder / "epoch.json").read_text())["seconds"]
        cells = "- | - | -" if found is base else difference(base, found, voted)
        mean = np.mean([rmse(one, voted) for one in found])
        lines.append(f"| {contender.name} | {epochs} | {seconds:.1f} | {mean:.5f} | {cells} |")
    return [*lines, ""]


def check_settings(arguments: argparse.Namespace) -> None:
    """Write the settings that decide the numbers; InvalidInput if OUT was begun with others."""
    settings = {
        "minutes": arguments.minutes,
        "num_simulated": arguments.num_simulated,
        "crop": arguments.crop,
        "data": None if arguments.data is None else fingerprint(arguments.data),
        "device": str(training_device()),
        "torch": torch.__version__,
    }
    path = arguments.out / "settings.json"
    if path.exists():
        found = json.loads(path.read_text())
        other = [name for name, value in settings.items() if found.get(name) != value]
        if other:
            raise InvalidInput(
                f"{arguments.out} was begun with another {', '.join(other)}; give another --out"
            )
    write_json(path, settings)


def measure(arguments: argparse.Namespace) -> None:
    """Train what is missing, and print and write the tables."""
    check_settings(arguments)
    sets = [simulated_set(arguments.out, arguments.num_simulated)]
    if arguments.data is not None:
        sets.append(given_set(arguments.data))
    if arguments.kaggle is not None:
        sets.append(kaggle_set(arguments.out, arguments.kaggle, arguments.crop))
    lines = [
        f"residual_cnn, {arguments.minutes:g} minutes a training, {arguments.seeds} seeds; "
        f"torch {torch.__version__}, {torch.get_num_threads()} threads, {training_device()}, "
        f"{platform.machine()}, {os.cpu_count()} cores",
        "",
    ]
    for one in sets:
        lines += table(one, arguments)
    text = "\n".join(lines)
    write_atomically(arguments.out / "table.md", lambda new: new.write_text(text))
    print(text)


def main() -> None:
    """Read the arguments; exit code 2 with one line for what is wrong with them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--data", type=Path, help="a galaxy file")
    parser.add_argument("--kaggle", type=Path, help="Kaggle's folder with JPEG files")
    parser.add_argument("--crop", type=int, default=210, help="of the JPEG files, in pixels")
    parser.add_argument("--minutes", type=float, default=20.0, help="of each training")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--sides", type=int, nargs="+", default=[64, 96, 128])
    parser.add_argument("--widths", type=float, nargs="+", default=[1.0, 1.5])
    parser.add_argument("--num-simulated", type=int, default=3000)
    parser.add_argument("--quick", action="store_true", help="under a minute: tiny trainings")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.minutes, arguments.seeds, arguments.num_simulated = 0.001, 2, 100
        arguments.sides, arguments.widths = [32, 48], [0.1]
    try:
        measure(arguments)
    except InvalidInput as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
