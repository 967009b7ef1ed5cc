"""Learning curves of random configs on the real galaxies, as many as fit into the time left.

The curves are those of benchmarks/record_curves.py, without averaged weights. A file of an earlier
call that was recorded with the same settings is continued, so that the curves add up over calls.
"""

import argparse
import multiprocessing
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

from benchmarks.gpu_parts.setting import Rows, Setting
from benchmarks.record_curves import Recording, recorded, settings, write
from benchmarks.replay.search_plan import random_configs, search_plan
from search_spaces.declaration import InvalidInput

ARCHITECTURES = ("parallel_cnn", "vision_transformer")  # later networks are added here
CONFIGS = 160  # the most of each architecture
EPOCHS = 27
GALAXIES = 2500
PROCESSES = 6  # that share the GPU
MARGIN = 10.0  # seconds before the end of the part at which the last row is written
EARLIER = Path(__file__).parents[1] / "curves"


def measure(setting: Setting) -> Rows:
    """Yield a row for each config that has been trained; the files stand in `setting.out`."""
    names = ("simple_cnn",) if setting.is_tiny else ARCHITECTURES
    kept = {name: _kept(name, setting) for name in names}
    missing = {name: list(_missing(name, rows, setting)) for name, (_, _, rows) in kept.items()}
    turns = zip_longest(*missing.values())
    queue = [entry for turn in turns for entry in turn if entry is not None]
    processes = 1 if setting.is_tiny else PROCESSES
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        results = pool.imap_unordered(_trained, queue)
        for _ in queue:
            try:
                new = results.next(timeout=max(0.1, setting.seconds_left - MARGIN))
            except multiprocessing.TimeoutError:
                break  # the pool's processes end with the block
            name = new[0]["architecture"]
            path, described, rows = kept[name]
            rows += [{k: v for k, v in row.items() if k != "architecture"} for row in new]
            write(path, rows, described)
            best = min((row["val_rmse"] for row in new if row.get("val_rmse")), default=None)
            yield {
                "network": name,
                "config": new[0]["trial"],
                "epochs": len(new),
                "best_val_rmse": best,
            }
    for name, (path, _, rows) in kept.items():
        count = len({row["trial"] for row in rows})
        yield {"network": name, "configs_in_all": count, "file": path.name}


def _trained(entry: tuple[str, Recording]) -> list[dict[str, Any]]:
    """Train one config; return its rows with the name of the architecture."""
    name, recording = entry
    return [{**row, "architecture": name} for row in recording.rows(averaged=False)]


def _kept(name: str, setting: Setting) -> tuple[Path, dict[str, Any], list[dict[str, Any]]]:
    """Return the file to write, its settings, and the rows of an earlier call.

    An earlier file of other settings is left alone, and a new file with another name is begun.
    """
    described = settings(_arguments(name, setting))
    stem = f"gpu_{name}"
    for path in sorted(EARLIER.glob(f"{stem}*.parquet")):
        try:
            return setting.out / path.name, described, recorded(path, described)
        except InvalidInput:
            continue
    number = len(list(EARLIER.glob(f"{stem}*.parquet")))
    ending = f"_{number + 1}" if number else ""
    return setting.out / f"{stem}{ending}.parquet", described, []


def _missing(
    name: str, rows: list[dict[str, Any]], setting: Setting
) -> Iterator[tuple[str, Recording]]:
    """Yield the configs that have no rows yet."""
    arguments = _arguments(name, setting)
    plan = search_plan(name, trials=arguments.num_configs, epochs=arguments.epochs)
    done = {row["trial"] for row in rows}
    for number, config in enumerate(random_configs(plan, arguments.seed)):
        if number not in done:
            yield name, Recording(number, config, setting.data, arguments.num_galaxies)


def _arguments(name: str, setting: Setting) -> argparse.Namespace:
    """Return the arguments of benchmarks/record_curves.py for one architecture."""
    configs, epochs, galaxies = (2, 1, 100) if setting.is_tiny else (CONFIGS, EPOCHS, GALAXIES)
    return argparse.Namespace(
        architecture=name,
        num_configs=configs,
        epochs=epochs,
        num_galaxies=galaxies,
        seed=0,
        data=setting.data,
    )
