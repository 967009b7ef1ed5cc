"""Options that several commands share; the help of each option stands only here."""

from pathlib import Path
from typing import Annotated

import typer

from search_spaces.declaration import given_path

STUDIES = Path("studies")


def whole_path(given: Path | None) -> Path | None:
    """Return the path of an argument or option, expanded; None if it was not given.

    `~` and `$NAME` are expanded. Typer calls the function for each argument and option that names
    it as its callback. A shell expands neither in `--data=~/galaxies.npz`, nor in quotes.
    InvalidInput is raised if a variable is not set.
    """
    return None if given is None else given_path(given)


GivenPath = Annotated[Path, typer.Argument(callback=whole_path)]
PlanFile = Annotated[Path | None, typer.Argument(metavar="[PLAN.yaml]", callback=whole_path)]
DataFile = Annotated[
    Path, typer.Option("--data", callback=whole_path, help="Galaxy file (npz) to train on.")
]
MovedData = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="FILE",
        callback=whole_path,
        help="The study's galaxy file, if it is no longer at the path in the study's plan.yaml. A "
        "file with other arrays is refused.",
    ),
]
StoredData = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="FILE",
        callback=whole_path,
        help="The study's galaxy file, if it is no longer at the path in the study's plan.yaml, "
        "which then names the new path. A file with other arrays is refused.",
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", help="Give a hyperparameter a value: KEY=VALUE; may be repeated."),
]
Storage = Annotated[Path, typer.Option(callback=whole_path, help="Folder that holds the studies.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead.")]
SplitOption = Annotated[
    str | None,
    typer.Option(
        "--split",
        help="How galaxies are split: by the hash of their id, or seed, as the notebooks did. "
        "Default: hash, or seed with --as-published.",
    ),
]
AsPublished = Annotated[
    bool,
    typer.Option(
        "--as-published",
        help="Train as the student project did, its mistakes and its split included.",
    ),
]
Address = Annotated[
    str | None,
    typer.Option(
        help="Run on this Ray cluster, e.g. auto on its head node. Default: a Ray of its own."
    ),
]
LocalCpus = Annotated[
    int | None, typer.Option(min=1, help="CPUs of a Ray of its own. Default: all.")
]
LocalGpus = Annotated[
    int | None, typer.Option(min=0, help="GPUs of a Ray of its own. Default: all.")
]
