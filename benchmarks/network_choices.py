"""Measure what each choice of the search space is worth alone, on real galaxies.

    python benchmarks/network_choices.py galaxies.npz [--epochs 12] [--seeds 0,1,2]
        [--groups training,heads,...] [--out network_choices]
    python benchmarks/network_choices.py galaxies.npz --quick --out /tmp/choices

Each group has a base config and variants that change one thing. A row of the table is a variant:
the mean validation RMSE over the seeds, its standard deviation, the difference from the base with
a paired 95 % interval over the validation galaxies, and the same RMSE by 8 views. The errors of
the seeds are averaged for each galaxy before the galaxies are drawn again. Test rows are not used.

Each finished training is kept in the folder OUT. If the benchmark is called again, it trains what
is missing.
"""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.kept_trainings import (
    Training,
    kept_predictions,
    machine_line,
    numbers,
    ratio_of_rmses,
    run_or_tell,
)
from search_spaces.declaration import config_from_values
from trainables.galaxies import open_galaxies, split_galaxies

_COSINE = {"optimizer": "adamw", "schedule": "cosine"}
_MODERN = {
    **_COSINE,
    "output_bias": "votes",
    "head": "tree_softmax",
    "kept_weights": "averaged",
    "rotation_degrees": 180.0,
    "flips": True,
}


@dataclass(frozen=True)
class Group:
    """Variants of one base config.

    architecture: the architecture's name. base: the values of the base by field name. variants:
    for each variant, by name, the values that differ from the base.
    """

    architecture: str
    base: Mapping[str, Any] = field(default_factory=dict)
    variants: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


_HEADS = {
    "head=tree_softmax": {"head": "tree_softmax"},
    "head=tree_softplus": {"head": "tree_softplus"},
}
GROUPS = {
    # each change alone, from the published simple CNN
    "training": Group(
        "simple_cnn",
        {},
        {
            "output_bias=votes": {"output_bias": "votes"},
            **_HEADS,
            "resampling=votes": {"resampling": "votes"},
            "calibration=votes": {"calibration": "votes"},
            "resampling and calibration": {"resampling": "votes", "calibration": "votes"},
            "adamw": {"optimizer": "adamw"},
            "adamw, cosine": _COSINE,
            "averaged weights": {"kept_weights": "averaged"},
            "zoom of both axes alike": {"zoom_axes": "alike"},
            "brightness=0.1": {"brightness": 0.1},
            "brightness=0.3": {"brightness": 0.3},
            "all of the recommended": {**_MODERN, "calibration": "votes"},
        },
    ),
    # each change taken back, from the residual CNN
    "residual": Group(
        "residual_cnn",
        {},
        {
            "resampling=votes": {"resampling": "votes"},
            "calibration=votes": {"calibration": "votes"},
            "resampling and calibration": {"resampling": "votes", "calibration": "votes"},
            "head=sigmoid": {"head": "sigmoid"},
            "head=tree_softplus": {"head": "tree_softplus"},
            "output_bias=zero": {"output_bias": "zero"},
            "kept_weights=raw": {"kept_weights": "raw"},
            "averaging_epochs=3": {"averaging_epochs": 3.0},
            "zoom of each axis": {"zoom_axes": "each"},
            "brightness=0": {"brightness": 0.0},
            "brightness=0.3": {"brightness": 0.3},
            "width=0.5": {"width": 0.5},
            "depth=1": {"depth": 1},
        },
    ),
    # tree heads on the other networks, at equal epochs, with the same start
    "heads of vision_transformer": Group("vision_transformer", {"output_bias": "votes"}, _HEADS),
    "heads of parallel_cnn": Group(
        "parallel_cnn", {"output_bias": "votes", "width": 0.25}, _HEADS
    ),
    "heads of simple_cnn": Group("simple_cnn", {"output_bias": "votes"}, _HEADS),
}


def errors(training: Training, out: Path, voted: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the mean squared error of each validation galaxy by 1 and 8 views, [2, V]."""
    predicted = kept_predictions(training, out).astype(np.float64)
    return np.asarray(((predicted - voted) ** 2).mean(axis=2))


def row(name: str, found: NDArray[np.float64], base: NDArray[np.float64]) -> str:
    """Return a row of the table.

    found, base: mean squared errors [S, 2, V] of S seeds, by 1 and 8 views, of V galaxies.
    """
    one, eight = np.sqrt(found[:, 0].mean(axis=1)), np.sqrt(found[:, 1].mean(axis=1))
    ratio = ratio_of_rmses(found[:, 0].mean(axis=0), base[:, 0].mean(axis=0))
    change, low, high = (value - 1 for value in ratio)
    spread = f"{one.std(ddof=1):.4f}" if len(one) > 1 else ""
    told = f"{change:+.1%} | {low:+.1%} to {high:+.1%}" if found is not base else "|"
    return f"| {name} | {one.mean():.4f} | {spread} | {told} | {eight.mean():.4f} |"


def measure(arguments: argparse.Namespace) -> None:
    """Train what is missing, and print the table of each group as soon as it is whole."""
    print(machine_line(), flush=True)
    galaxies = open_galaxies(arguments.data)
    voted = galaxies.target[split_galaxies(galaxies, "hash").validation]
    for name in arguments.groups:
        group = GROUPS[name]
        found: dict[str, NDArray[np.float64]] = {}
        for variant, changes in {"base": {}, **group.variants}.items():
            values = {
                "architecture": group.architecture,
                **group.base,
                **changes,
                **arguments.values,
                "epochs": arguments.epochs,
                "early_stopping_patience": 0,
            }
            trainings = [
                Training(
                    f"{name}, {variant}, {arguments.epochs} epochs, seed {s}",
                    config_from_values({**values, "seed": s}),
                    arguments.data,
                    arguments.labels or None,
                )
                for s in arguments.seeds
            ]
            found[variant] = np.stack([errors(t, arguments.out, voted) for t in trainings])
        print(f"\n{name}: {group.architecture}, {arguments.epochs} epochs")
        print("| variant | RMSE | s.d. | change | 95 % interval | 8 views |")
        print("|---|---|---|---|---|---|")
        for variant in found:
            print(row(variant, found[variant], found["base"]), flush=True)


def main() -> None:
    """Read the arguments; exit code 2 with one line for what is wrong with them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seeds", type=numbers, default=(0, 1, 2))
    parser.add_argument("--groups", type=lambda text: text.split(","), default=list(GROUPS))
    parser.add_argument("--labels", type=int, default=0, help="training galaxies; 0 for all")
    parser.add_argument("--out", type=Path, default=Path("network_choices"))
    parser.add_argument("--quick", action="store_true", help="under a minute: one small group")
    arguments = parser.parse_args()
    arguments.values = {}
    unknown = [name for name in arguments.groups if name not in GROUPS]
    if unknown:
        parser.error(f"no group {unknown[0]!r}; there are {', '.join(GROUPS)}")
    if arguments.quick:
        arguments.groups, arguments.epochs, arguments.seeds = ["heads of simple_cnn"], 1, (0,)
        arguments.labels, arguments.values = 50, {"width": 0.1}
    run_or_tell(measure, arguments)


if __name__ == "__main__":
    main()
