"""Run whole searches on real galaxies with real Ray, and compare the time to a good RMSE.

    python benchmarks/real_searches.py galaxies.npz [--num-galaxies 1500] [--epochs 18]
        [--seeds 10] [--trials 40] [--architecture residual_cnn] [--workers 2]
        [--methods galaxytune optuna_asha ...] [--target RMSE] [--out real_searches]
    python benchmarks/real_searches.py galaxies.npz --quick

Four methods search the same space, with the same galaxies, epochs, trials and CPUs:

- `galaxytune`: the product's own search, by `galaxytune.search`, with the plan's defaults.
- `optuna_asha`: Ray Tune's OptunaSearch and ASHA with their defaults; the published config first.
- `optuna_asha_list`: the same; after the published config come our recommended configs. It is
  left out if the architecture recommends no config.
- `random_asha`: random configs under ASHA; the published config first.

Each search runs in a process of its own on a local Ray of `--workers` CPUs, one trial a CPU. Ray's
workers have the niceness that Ray gives them, for all methods alike. W&B is off. The clock of a
search starts before Ray is imported. Device-seconds are the seconds of training and validation of
the reported epochs, summed over the workers; the number of epochs does not depend on other work of
the machine. The RMSE of a search is the lowest validation RMSE of any epoch so far.

The target is the RMSE with which random search under ASHA ends, the median over the seeds, unless
--target gives another. What a search shows is read in the same way for every method: the first
report of an RMSE of at most the target.

A finished search is kept as OUT/METHOD-seed-N.json with all reports and configs; called again, the
benchmark runs the searches that are missing. Where code has changed since, it needs another OUT.
"""

import argparse
import os
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.kept_trainings import run_or_tell
from benchmarks.real_search_parts.asked_search import METHODS, OPTUNA_LIST, RANDOM, AskedSearch
from benchmarks.real_search_parts.kept_searches import kept_courses
from benchmarks.real_search_parts.search_table import (
    course_table,
    ratio_table,
    target_of,
    target_table,
)
from search_spaces.declaration import InvalidInput
from trainables.galaxies import open_galaxies, split_galaxies

_QUICK: dict[str, Any] = {"num_galaxies": 120, "epochs": 2, "trials": 3, "seeds": 1}
_QUICK_FIXED = {"width": 0.1, "batch_size": 32}


def asked_searches(arguments: argparse.Namespace) -> dict[tuple[str, int], AskedSearch]:
    """Return the searches by method and seed; InvalidInput for wrong arguments or data.

    The method of our list is left out, with a line on standard error, if there is no list.
    """
    data = Path(arguments.data).absolute()
    split_galaxies(open_galaxies(data), "hash", arguments.num_galaxies)
    if arguments.seeds < 1 or arguments.workers < 1:
        raise InvalidInput("--seeds and --workers must be at least 1")
    first = AskedSearch(
        method=arguments.methods[0],
        seed=0,
        data=str(data),
        architecture=arguments.architecture,
        num_galaxies=arguments.num_galaxies,
        epochs=arguments.epochs,
        trials=arguments.trials,
        workers=arguments.workers,
        fixed=_QUICK_FIXED if arguments.quick else {},
    )
    methods = dict.fromkeys(arguments.methods)
    if OPTUNA_LIST in methods and not first.space().recommended:
        del methods[OPTUNA_LIST]
        left_out = f"{first.architecture} recommends no config, so {OPTUNA_LIST} is left out"
        print(left_out, file=sys.stderr)
    if arguments.target is None and RANDOM not in methods:
        raise InvalidInput(f"give --target, or let --methods hold {RANDOM}")
    if not methods:
        raise InvalidInput("no method is left")
    return {
        (method, seed): replace(first, method=method, seed=seed)
        for method in methods
        for seed in range(arguments.seeds)
    }


def compare(arguments: argparse.Namespace) -> None:
    """Run the searches that are missing, then print the tables."""
    if arguments.quick:
        vars(arguments).update(_QUICK)
    asked = asked_searches(arguments)
    with ExitStack() as stack:
        out = arguments.out
        if out is None:
            out = Path("real_searches")
            if arguments.quick:
                out = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        courses = kept_courses(asked, out)
    target = target_of(courses) if arguments.target is None else arguments.target
    print(
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} CPU cores, {arguments.workers} workers; "
        f"{arguments.architecture}, {arguments.num_galaxies} galaxies, {arguments.epochs} epochs, "
        f"{arguments.trials} trials, {arguments.seeds} seeds; target RMSE {target:.4f}\n"
    )
    for table in (
        target_table(courses, target),
        ratio_table(courses, target),
        course_table(courses),
    ):
        print(*table, sep="\n", end="\n\n")


def main() -> None:
    """Read the arguments and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="galaxy file")
    parser.add_argument("--num-galaxies", type=int, default=1500)
    parser.add_argument("--epochs", type=int, default=18)
    parser.add_argument("--seeds", type=int, default=10, help="number of seeds of each method")
    parser.add_argument("--trials", type=int, default=40, help="of each search")
    parser.add_argument("--architecture", default="residual_cnn")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--target", type=float, help="validation RMSE; by default measured")
    parser.add_argument("--out", type=Path, help="folder of the kept searches")
    parser.add_argument("--quick", action="store_true", help="tiny searches, under two minutes")
    arguments = parser.parse_args()
    run_or_tell(compare, arguments)


if __name__ == "__main__":
    main()
