"""The commands for galaxy files: simulate, build, check."""

import os
from pathlib import Path
from typing import Annotated

import typer

from galaxytune.cli.options import AsJson, GivenPath
from galaxytune.cli.terminal import print_json, progress_bar, say, stopped_by_sigterm


def register(app: typer.Typer) -> None:
    """Add the group of commands `data` to the command line `app`."""
    group = typer.Typer(help="Make and check galaxy files.")
    for name, command in (("simulate", simulate), ("build", build), ("check", check)):
        group.command(name)(command)
    app.add_typer(group, name="data")


def simulate(
    out: GivenPath,
    num_galaxies: Annotated[
        int, typer.Option(min=1, help="Number of galaxies to simulate.")
    ] = 2000,
    seed: Annotated[int, typer.Option(min=0, help="Random seed.")] = 0,
) -> None:
    """Write simulated galaxies and their votes; the same seed gives the same galaxies.

    OUT is the galaxy file to write; its name must end in .npz.
    """
    simulate_with_progress(out, num_galaxies, seed)
    say(f"{num_galaxies} simulated galaxies -> {out}")


def simulate_with_progress(out: Path, num_galaxies: int, seed: int) -> None:
    """Write a galaxy file of simulated galaxies, and show a progress bar on standard error.

    out: the file, whose name must end in .npz; an older file is replaced. num_galaxies: number of
    galaxies, at least 1. seed: random seed, at least 0. InvalidInput is raised if one of the three
    is wrong or the file cannot be written there; OSError if the disk refuses, such as a full disk.
    """
    from galaxytune import api

    api.check_galaxy_file_name(out)  # before a bar is shown
    with progress_bar() as bar, stopped_by_sigterm():
        task = bar.add_task("simulating galaxies", total=num_galaxies)
        api.simulate(
            out,
            num_galaxies,
            seed=seed,
            on_progress=lambda done: bar.update(task, completed=done),
        )


def build(
    kaggle_folder: GivenPath,
    out: GivenPath,
    crop: Annotated[int, typer.Option(min=1, help="Central pixels of an image to keep.")] = 210,
    side: Annotated[int, typer.Option(min=1, help="Pixels of the reduced image.")] = 64,
    threads: Annotated[int, typer.Option(min=1, help="Threads that read images.")] = os.cpu_count()
    or 1,
) -> None:
    """Write a galaxy file from Kaggle's two zips, or from the unpacked folder and CSV.

    KAGGLE_FOLDER holds the zips or the unpacked files, each in a folder of its own or not; or it
    is the zip of the whole competition. OUT is the galaxy file to write; its name must end in
    .npz. A galaxy takes 3 x side x side bytes on the disk; memory holds a part of the galaxies.
    """
    from trainables.files import counted, writing_to_a_given_place
    from trainables.galaxies import build_from_kaggle, grouped

    with progress_bar() as bar, stopped_by_sigterm(), writing_to_a_given_place():
        task = bar.add_task("reading images", total=None)
        report = build_from_kaggle(
            kaggle_folder,
            out,
            crop=crop,
            side=side,
            num_threads=threads,
            on_progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    for note in report.notes:
        say(f"note: {note}")
    for line in grouped(report.skipped):
        say(f"skipped {line}")
    left_out = counted(len(report.skipped), "image")
    say(f"{counted(report.num_galaxies, 'galaxy', 'galaxies')} -> {out}; {left_out} skipped")
    if report.num_without_image:
        has = "has" if report.num_without_image == 1 else "have"
        without = counted(report.num_without_image, "galaxy", "galaxies")
        say(f"{without} of the solutions {has} no image")


def check(file: GivenPath, as_json: AsJson = False) -> None:
    """Check a whole galaxy file; print counts, tree residual and noise floor.

    FILE is the galaxy file (npz).
    """
    from analysis.statistics import check_galaxy_file

    found = check_galaxy_file(file)
    if found.misses_the_tree:
        largest = found.max_tree_residual
        say(f"note: votes miss the decision tree by up to {largest:.3g}; Kaggle's miss by 1e-5")
    if as_json:
        print_json(found.as_values())
    else:
        for name, value in found.as_values().items():
            typer.echo(f"{name.replace('_', ' ')}: {value}")
