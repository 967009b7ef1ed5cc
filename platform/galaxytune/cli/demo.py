"""The demo: all steps from simulated galaxies to a report, small enough for two CPU cores."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from galaxytune.cli.data import simulate_with_progress
from galaxytune.cli.models import predict_with_progress
from galaxytune.cli.options import GivenPath
from galaxytune.cli.studies import say_step
from galaxytune.cli.terminal import say, show_table
from search_spaces.declaration import InvalidInput

if TYPE_CHECKING:
    from galaxytune.api import Study
    from galaxytune.plan import StudyPlan

# The networks are so narrow that an epoch takes a few seconds on one core. The batches are small
# because a network needs some hundred steps to learn anything.
_SETTINGS = {
    "simple_cnn.width": 0.5,
    "residual_cnn.width": 0.5,
    "residual_cnn.depth": 1,
    "batch_size": 32,
}
_EPOCHS = 8


def register(app: typer.Typer) -> None:
    """Add the command `demo` to the command line `app`."""
    app.command()(demo)


def demo(
    folder: GivenPath = Path("demo"),
    trials: Annotated[int, typer.Option(min=2, help="Number of trials.")] = 12,
    num_galaxies: Annotated[
        int, typer.Option(min=100, help="Number of galaxies to simulate.")
    ] = 1500,
) -> None:
    """Simulate galaxies, search two narrow networks, and export the best.

    The demo takes minutes on a CPU. FOLDER holds its files; each demo makes a new folder run-N
    there.
    """
    from galaxytune import api
    from galaxytune.cli.tables import leaderboard_table
    from galaxytune.study import noise_floor_line
    from galaxytune.tracking import SearchProgress

    storage = _fresh_storage(folder)
    data = storage / "galaxies.npz"
    simulate_with_progress(data, num_galaxies, seed=0)
    say(f"{num_galaxies} simulated galaxies -> {data}")
    say(f"search: {trials} trials of up to {_EPOCHS} epochs over two architectures")
    plan = demo_plan(data, trials)
    study = api.search(plan, storage=storage, observers=[SearchProgress()])
    show_table(leaderboard_table(api.rank(study), noise_floor_line([study.folder])))
    exported = storage / "export"
    study.export(exported)
    predict_with_progress(exported, data, storage / "predictions.csv")
    page = study.report(storage / "report", on_step=say_step)
    _say_outcome(study, page, exported)


def demo_plan(data: Path, num_trials: int) -> "StudyPlan":
    """Return a plan that searches narrow versions of the simple CNN and of the residual CNN.

    data: the galaxy file, which need not exist yet. num_trials: the number of trials, at least 1,
    else InvalidInput is raised. The study is named `demo`, and its W&B runs are offline.
    """
    from galaxytune.plan import make_plan

    return make_plan(
        {
            "name": "demo",
            "architectures": ["simple_cnn", "residual_cnn"],
            "data": str(data),
            "trials": num_trials,
            "epochs": _EPOCHS,
            "set": _SETTINGS,
            "grace_epochs": 3,
            "wandb": "offline",
        }
    )


def _fresh_storage(folder: Path) -> Path:
    """Return the first path `run-N` in `folder` that does not exist, so earlier demos are kept.

    The folder is not made. N is from 1 to 999; InvalidInput if all 999 paths exist.
    """
    for number in range(1, 1000):
        storage = folder / f"run-{number}"
        if not storage.exists():
            return storage
    raise InvalidInput(f"{folder} holds 999 demos; remove it")


def _say_outcome(study: "Study", page: Path, exported: Path) -> None:
    """Print the best config, the outcome of the study, and where the results are.

    page: the path of the report's page. exported: the export folder. Everything is printed on
    standard error. InvalidInput if no trial is complete.
    """
    from analysis.records import best_trial
    from search_spaces.declaration import to_yaml

    say("")
    say("best config:")
    for line in to_yaml(best_trial(study.records()).config).splitlines():
        say(f"  {line}")
    for line in study.outcome():
        say(line)
    say(f"report:     {os.path.relpath(page)}")
    say(f"export:     {os.path.relpath(exported)}")
    say(f"W&B folder: {os.path.relpath(study.folder.wandb)}")
