"""Record real learning curves, to be replayed by benchmarks/search_efficiency.py.

    python benchmarks/record_curves.py galaxies.npz [--num-configs 160] [--epochs 27]
        [--num-galaxies 2500] [--processes 2] [--out benchmarks/curves/simple_cnn.parquet]
    python benchmarks/record_curves.py galaxies.npz --quick --out /tmp/curves.parquet

Draws random configs from an architecture's declared space, the published one first, and trains
each for all epochs, one process a core. The file is written anew after every config; called
again it goes on with the configs that are missing. A row is an epoch of a config: its number as
`trial`, what is searched and in use as `config.NAME` (null where it is not), the run's report,
the validation RMSE of the weights averaged over about one and about three epochs, and the epoch's
processor time, which other work on the machine disturbs less than its seconds. A config that
diverges has a last row with the reason in `failure` and no metrics.
"""

import argparse
import json
import multiprocessing
import os
import platform
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch

from benchmarks.replay.averaged_weights import AveragedWeights
from benchmarks.replay.search_plan import random_configs, search_plan, searched
from galaxytune.plan import package_versions
from search_spaces.declaration import InvalidInput, TrainingProtocol
from trainables.device import training_device
from trainables.files import write_atomically
from trainables.galaxies import fingerprint, open_galaxies, split_galaxies
from trainables.training import Diverged, TrainingRun

_AVERAGES = {"val_rmse_average_1": 1.0, "val_rmse_average_3": 3.0}  # column: epochs
_SETTINGS = b"recording"  # the parquet file's own metadata


@dataclass(frozen=True)
class Recording:
    """One config to train: its number from 0, the config, and the galaxies to train it on."""

    number: int
    config: TrainingProtocol
    data: Path
    num_galaxies: int

    def rows(self, *, averaged: bool = True) -> list[dict[str, Any]]:
        """Train the config on one thread of this process; return a row an epoch.

        averaged: whether the rows hold the validation RMSE of averaged weights. The averages are
        taken in the optimiser's step, which a GPU can then not repeat as a graph.
        """
        torch.set_num_threads(1)
        galaxies = open_galaxies(self.data)
        split = split_galaxies(galaxies, "hash", self.num_galaxies)
        run = TrainingRun(self.config, galaxies, split, training_device())
        wanted = _AVERAGES if averaged else {}
        averages = {name: AveragedWeights(run, epochs) for name, epochs in wanted.items()}
        chosen = {f"config.{name}": _plain(v) for name, v in searched(self.config).items()}
        common = {"trial": self.number, "published": self.number == 0, **chosen}
        rows = []
        while run.finished is None:
            began = time.process_time()
            try:
                report = run.run_epoch()
            except Diverged as error:
                rows.append({**common, "epoch": run.epoch + 1, "failure": str(error)})
                break
            seconds = time.process_time() - began
            after = {name: average.validation_rmse() for name, average in averages.items()}
            rows.append({**common, **report.as_values(), "cpu_seconds": seconds, **after})
        return rows


def _plain(value: Any) -> Any:
    """Parquet wants one type a column: Keras' degrees are written as 0 and as 25.0."""
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _record(recording: Recording) -> list[dict[str, Any]]:
    return recording.rows()


def settings(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the settings that decide the numbers; a file with other settings is not continued."""
    return {
        "architecture": arguments.architecture,
        "seed": arguments.seed,
        "epochs": arguments.epochs,
        "num_galaxies": arguments.num_galaxies,
        "data": fingerprint(arguments.data),
        "versions": package_versions(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "device": str(training_device()),
    }


def recorded(path: Path, wanted: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of an earlier call; InvalidInput if it recorded something else."""
    if not path.exists():
        return []
    table = pq.read_table(path)
    found = json.loads((table.schema.metadata or {}).get(_SETTINGS, b"{}"))
    other = [name for name, value in wanted.items() if found.get(name) != value]
    if other:
        raise InvalidInput(
            f"{path} was recorded with another {', '.join(other)}; give another --out"
        )
    return table.to_pylist()


def write(path: Path, rows: list[dict[str, Any]], described: dict[str, Any]) -> None:
    """Write all rows, by config and epoch."""
    rows.sort(key=lambda row: (row["trial"], row["epoch"]))
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {name: [row.get(name) for row in rows] for name in names}
    table = pa.table(columns).replace_schema_metadata({_SETTINGS: json.dumps(described)})
    write_atomically(path, lambda temporary: pq.write_table(table, temporary))


def trained(recordings: list[Recording], processes: int) -> Iterator[list[dict[str, Any]]]:
    """Each config's rows as it ends."""
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        yield from pool.imap_unordered(_record, recordings)


def record(arguments: argparse.Namespace) -> None:
    """Train what is missing and keep the file up to date."""
    described = settings(arguments)
    rows = recorded(arguments.out, described)
    plan = search_plan(
        arguments.architecture, trials=arguments.num_configs, epochs=arguments.epochs
    )
    done = {row["trial"] for row in rows}
    missing = [
        Recording(number, config, arguments.data, arguments.num_galaxies)
        for number, config in enumerate(random_configs(plan, arguments.seed))
        if number not in done
    ]
    started = time.perf_counter()
    for count, new in enumerate(trained(missing, arguments.processes), start=1):
        rows += new
        write(arguments.out, rows, described)
        best = min((row["val_rmse"] for row in new if row.get("val_rmse")), default=float("nan"))
        minutes = (time.perf_counter() - started) / 60
        print(
            f"{count} of {len(missing)}: config {new[0]['trial']}, {len(new)} epochs, "
            f"{new[-1].get('failure') or f'RMSE {best:.4f}'}; {minutes:.1f} min, about "
            f"{minutes / count * (len(missing) - count):.0f} to go",
            flush=True,
        )
    print(f"{len(done) + len(missing)} configs, {len(rows)} rows in {arguments.out}")


def main() -> None:
    """Read the arguments; exit code 2 with one line for what is wrong with them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--architecture", default="simple_cnn")
    parser.add_argument("--num-configs", type=int, default=160)
    parser.add_argument("--epochs", type=int, default=27)
    parser.add_argument("--num-galaxies", type=int, default=2500)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0, help="of the random configs")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--quick", action="store_true", help="under a minute: four tiny runs")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.num_configs, arguments.epochs, arguments.num_galaxies = 4, 3, 300
    if arguments.out is None:
        folder = Path(__file__).parent / "curves"
        arguments.out = folder / f"{arguments.architecture.replace(':', '_')}.parquet"
    try:
        record(arguments)
    except InvalidInput as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
