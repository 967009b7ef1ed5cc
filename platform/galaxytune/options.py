"""Options that several commands share, each with its help declared once."""

from pathlib import Path
from typing import Annotated

import typer

DataFile = Annotated[Path, typer.Option("--data", help="Galaxy file (npz).")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", help="Hold a hyperparameter fixed: key=value.")
]
Storage = Annotated[Path, typer.Option(help="Folder that holds the studies.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead.")]
SplitOption = Annotated[
    str | None, typer.Option("--split", help="hash (by galaxy id) or seed (the notebooks').")
]
MaxHours = Annotated[float | None, typer.Option(help="Stop after so many hours.")]
MaxDeviceHours = Annotated[float | None, typer.Option(help="Stop once trials took so many.")]
TargetRmse = Annotated[float | None, typer.Option(help="Stop at this validation RMSE.")]
PlateauTrials = Annotated[int | None, typer.Option(help="Stop after so many without a better.")]
AsPublished = Annotated[
    bool,
    typer.Option("--as-published", help="The notebooks' protocol, slips and split included."),
]
STUDIES = Path("studies")
Address = Annotated[str | None, typer.Option(help="A running Ray cluster, e.g. auto.")]
LocalCpus = Annotated[int | None, typer.Option(min=1, help="CPUs of a local Ray.")]
LocalGpus = Annotated[int | None, typer.Option(min=0, help="GPUs of a local Ray.")]
