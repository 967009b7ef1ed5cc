"""Measure what the average over eight views of each image gains, and what it costs.

    python benchmarks/views.py EXPORT_FOLDER... --data galaxies.npz [--split hash] [--repeats 3]
    python benchmarks/views.py studies/NAME... [--data galaxies.npz]
    python benchmarks/views.py EXPORT_FOLDER --data galaxies.npz --quick

A folder is an export, or a study, of which all trials with kept weights are measured. The galaxies
are the validation galaxies: those of the study, or those of the whole file by `--split`, on which
no network of the same split was trained. Prints a table in Markdown: RMSE with 1 and 8 views, the
paired 95 % interval of the difference over galaxies, and the median ratio of times, for which
both predictions are made in turn in this process.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from analysis.statistics import rmse_difference_interval
from galaxytune.models import load_export
from galaxytune.models.trained_network import trained_network
from galaxytune.study import StudyFolder
from search_spaces.declaration import InvalidInput
from trainables.device import training_device
from trainables.files import BEST
from trainables.galaxies import Galaxies, open_galaxies, split_galaxies
from trainables.layers import GalaxyNetwork
from trainables.training import NumViews, predict, rmse

_QUICK = 40  # galaxies
_HEADING = """\
| network | galaxies | RMSE, 1 view | RMSE, 8 views | difference (95 % interval) | times |
|---|---|---|---|---|---|"""


@dataclass(frozen=True)
class Measured:
    """A network on a device, and the validation galaxies on which it is measured.

    rows: row numbers [N] in `galaxies`.
    """

    name: str
    network: GalaxyNetwork
    galaxies: Galaxies
    rows: NDArray[np.int64]


def measured_networks(folder: Path, data: Path | None, split: str) -> Iterator[Measured]:
    """Yield the network of an export folder, or each network of a study whose weights were kept.

    data: the galaxy file; None means the file of the study, and is refused for an export. split:
    `hash` or `seed`, for an export. InvalidInput is raised if the folder is neither, if the file
    is not given, or if the images have not the size of the training images.
    """
    if (folder / "plan.yaml").is_file():
        study = StudyFolder(folder)
        galaxies = open_galaxies(data or Path(study.plan.data))
        for record in study.records():
            if (study.checkpoint_folder(record.id) / BEST).exists():
                network = trained_network(study, record)
                name = f"{folder.name}, trial {record.id}, {record.architecture}"
                yield Measured(name, network, galaxies, study.split_rows().validation)
        return
    if data is None:
        raise InvalidInput(f"{folder} is an export; --data must name the galaxy file")
    export, galaxies = load_export(folder), open_galaxies(data)
    stored = (galaxies.crop, galaxies.images.shape[1])
    if stored != (export.crop, export.side):
        raise InvalidInput(
            f"{data} has crop and side {stored}, {folder} was trained on images of "
            f"{(export.crop, export.side)}"
        )
    rows = split_galaxies(galaxies, split).validation  # type: ignore[arg-type]
    network = export.network.to(training_device())
    yield Measured(f"{folder.name}, {export.config.architecture}", network, galaxies, rows)


def row(measured: Measured, repeats: int) -> str:
    """Return the line of the table for one network; each prediction is made `repeats` times."""
    device = training_device()

    def timed(num_views: NumViews) -> tuple[NDArray[np.float32], float]:
        """Return the predictions [N, 37] and the seconds that they took."""
        began = time.perf_counter()
        pixels = measured.galaxies.images
        found = predict(measured.network, pixels, device, measured.rows, num_views=num_views)
        return found, time.perf_counter() - began

    timed(1)  # the first prediction loads libraries and compiles
    ratios = []
    for _ in range(repeats):
        once, seconds_once = timed(1)
        averaged, seconds = timed(8)
        ratios.append(seconds / seconds_once)
    voted = measured.galaxies.target[measured.rows]
    one, eight = rmse(once, voted), rmse(averaged, voted)
    low, high = (100 * end / one for end in rmse_difference_interval(averaged, once, voted))
    return (
        f"| {measured.name} | {len(voted):,} | {one:.5f} | {eight:.5f} "
        f"| {100 * (eight - one) / one:+.2f} % ({low:+.2f} to {high:+.2f}) "
        f"| {np.median(ratios):.1f} |"
    )


def main() -> None:
    """Read the arguments and print the table; exit code 2 with one line for what is wrong."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--split", choices=("hash", "seed"), default="hash", help="of an export")
    parser.add_argument("--repeats", type=int, default=3, help="of the times, at least 1")
    parser.add_argument("--quick", action="store_true", help="few galaxies, one repeat")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.repeats = 1
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {training_device()}\n")
    print(_HEADING)
    try:
        for folder in arguments.folders:
            for one in measured_networks(folder, arguments.data, arguments.split):
                rows = one.rows[:_QUICK] if arguments.quick else one.rows
                part = Measured(one.name, one.network, one.galaxies, rows)
                print(row(part, max(1, arguments.repeats)), flush=True)
    except InvalidInput as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
