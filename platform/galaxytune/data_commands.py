"""The commands around galaxy files and predictions, with their progress bars."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from analysis.noise_floor import noise_floor
from galaxytune.terminal import say
from trainables.decision_tree import tree_residuals
from trainables.galaxies.galaxy_file import fingerprint, open_galaxies, save_galaxies

_LARGEST_HONEST_RESIDUAL = 1e-3  # Kaggle's fractions are printed to six digits


@contextmanager
def _progress_bar() -> Iterator[Progress]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        yield bar


def _check_npz_name(out: Path) -> None:
    if out.suffix.lower() != ".npz":
        raise ValueError(f"galaxy files end in .npz, not {out.name!r}")


def simulate_file(out: Path, num_galaxies: int, seed: int) -> None:
    """Write `num_galaxies` simulated galaxies."""
    from trainables.simulation import simulate_galaxies

    _check_npz_name(out)
    with _progress_bar() as bar:
        task = bar.add_task("simulating galaxies", total=num_galaxies)
        made = simulate_galaxies(
            num_galaxies, seed=seed, on_progress=lambda done: bar.update(task, completed=done)
        )
    save_galaxies(
        out,
        {
            "images": made.images,
            "target": made.target,
            "ids": made.ids,
            "num_votes": made.num_votes,
            "counts": made.counts,
            "probabilities": made.probabilities,
        },
    )
    say(f"{num_galaxies} simulated galaxies -> {out}")


def build_file(kaggle_folder: Path, out: Path, *, crop: int, side: int, num_threads: int) -> None:
    """Build a galaxy file from Kaggle's download; names and counts what was skipped."""
    from trainables.galaxies.kaggle import build_from_kaggle

    _check_npz_name(out)
    with _progress_bar() as bar:
        task = bar.add_task("reading images", total=None)
        report = build_from_kaggle(
            kaggle_folder,
            out,
            crop=crop,
            side=side,
            num_threads=num_threads,
            on_progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    for line in report.skipped:
        say(f"skipped {line}")
    say(f"{report.num_galaxies} galaxies -> {out}; {len(report.skipped)} images skipped")
    if report.num_without_image:
        say(f"{report.num_without_image} galaxies of the solutions have no image")


def check_file(file: Path) -> dict[str, Any]:
    """Validate a galaxy file: {"num_galaxies", "fingerprint", "max_tree_residual", ...}."""
    galaxies = open_galaxies(file)
    largest = float(np.abs(tree_residuals(galaxies.target.astype(np.float64))).max())
    if largest > _LARGEST_HONEST_RESIDUAL:
        say(f"note: votes miss the decision tree by up to {largest:.3g}; Kaggle's miss by 1e-5")
    return {
        "num_galaxies": len(galaxies),
        "fingerprint": fingerprint(file),
        "max_tree_residual": largest,
        "noise_floor": noise_floor(galaxies.target, galaxies.num_votes),
        "image_side": galaxies.images.shape[1],
        "num_unbiased": None if galaxies.unbiased is None else int(galaxies.unbiased.sum()),
    }


def predict_file(export_dir: Path, images: Path, out: Path) -> None:
    """Predict images into a table; names and counts what was skipped."""
    from galaxytune.export import load_export
    from galaxytune.prediction import predict_to_table

    export = load_export(export_dir)
    with _progress_bar() as bar:
        task = bar.add_task("predicting", total=None)
        report = predict_to_table(
            export, images, out, on_progress=lambda done: bar.update(task, completed=done)
        )
    for line in report.skipped:
        say(f"skipped {line}")
    say(f"{report.num_predicted} predictions -> {out}; {len(report.skipped)} images skipped")
