"""The one command line. Each command reads its options and calls one function.

Nothing heavy is imported here: `galaxytune --help` must answer at once.
"""

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.exceptions import TyperException

if TYPE_CHECKING:
    from galaxytune.study_folder import StudyFolder

app = typer.Typer(
    name="galaxytune",
    help="Search hyperparameters for networks that predict Galaxy Zoo vote fractions.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
data_app = typer.Typer(help="Make and check galaxy files.")
app.add_typer(data_app, name="data")

DataFile = Annotated[Path, typer.Option("--data", help="Galaxy file (npz).")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", help="Hold a hyperparameter fixed: key=value.")
]
Storage = Annotated[Path, typer.Option(help="Folder that holds the studies.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead.")]
SplitOption = Annotated[
    str | None, typer.Option("--split", help="hash (by galaxy id) or seed (the notebooks').")
]
AsPublished = Annotated[
    bool,
    typer.Option("--as-published", help="The notebooks' protocol, slips and split included."),
]
STUDIES = Path("studies")


def say(text: str) -> None:
    """Print progress and notes on standard error."""
    typer.echo(text, err=True)


def print_json(values: Any) -> None:
    """Print the one JSON document of a --json command."""
    typer.echo(json.dumps(values, indent=2))


def show_table(table: Any) -> None:
    """Print a rich table on standard output."""
    from rich.console import Console

    Console(width=None if sys.stdout.isatty() else 110).print(table)


@data_app.command("simulate")
def data_simulate(
    out: Path,
    num_galaxies: Annotated[int, typer.Option(min=1)] = 2000,
    seed: Annotated[int, typer.Option(min=0)] = 0,
) -> None:
    """Write simulated galaxies and their votes: no download, the same for the same seed."""
    from galaxytune.data_commands import simulate_file

    simulate_file(out, num_galaxies, seed)


@data_app.command("build")
def data_build(
    kaggle_folder: Path,
    out: Path,
    crop: Annotated[int, typer.Option(min=1, help="Central pixels that are kept.")] = 210,
    side: Annotated[int, typer.Option(min=1, help="Pixels of the reduced image.")] = 64,
    threads: Annotated[int, typer.Option(min=1)] = os.cpu_count() or 1,
) -> None:
    """Write a galaxy file from Kaggle's two zips, or from the unpacked folder and CSV."""
    from galaxytune.data_commands import build_file

    build_file(kaggle_folder, out, crop=crop, side=side, num_threads=threads)


@data_app.command("check")
def data_check(file: Path, as_json: AsJson = False) -> None:
    """Validate a galaxy file from end to end; print counts, residuals, noise floor."""
    from galaxytune.data_commands import check_file

    report = check_file(file)
    if as_json:
        print_json(report)
    else:
        for name, value in report.items():
            typer.echo(f"{name.replace('_', ' ')}: {value}")


@app.command()
def architectures(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...")] = None,
    as_json: AsJson = False,
) -> None:
    """List the architectures, or those named, with their parameters and sources."""
    from galaxytune.tables import architecture_rows, architectures_table

    rows = architecture_rows(names or [])
    if as_json:
        print_json(rows)
    else:
        show_table(architectures_table(rows))


@app.command()
def train(
    architecture: str,
    out_dir: Path,
    data: DataFile,
    settings: Settings = None,
    epochs: Annotated[int | None, typer.Option(min=1)] = None,
    as_published: AsPublished = False,
    split: SplitOption = None,
    num_galaxies: Annotated[int | None, typer.Option(min=10)] = None,
) -> None:
    """Train one config without Ray; OUT_DIR can then be used by `galaxytune predict`."""
    from galaxytune.search_commands import single_config, train_and_report

    config = single_config(architecture, settings or [], epochs, as_published=as_published)
    split = split or ("seed" if as_published else "hash")
    train_and_report(config, data, out_dir, split=split, num_galaxies=num_galaxies)


@app.command()
def search(
    plan: Annotated[Path | None, typer.Argument(metavar="[PLAN.yaml]")] = None,
    architecture: Annotated[list[str] | None, typer.Option(help="May be repeated.")] = None,
    data: Annotated[Path | None, typer.Option(help="Galaxy file (npz).")] = None,
    name: Annotated[str | None, typer.Option(help="The study's name.")] = None,
    trials: Annotated[int | None, typer.Option(help="Trials to run in all.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Epochs of a whole trial.")] = None,
    settings: Settings = None,
    search_only: Annotated[
        list[str] | None, typer.Option(help="Search this alone; may be repeated.")
    ] = None,
    as_published: AsPublished = False,
    seed: Annotated[int | None, typer.Option()] = None,
    split: SplitOption = None,
    num_galaxies: Annotated[int | None, typer.Option()] = None,
    gpus_per_trial: Annotated[float | None, typer.Option(help="May be a fraction.")] = None,
    cpus_per_trial: Annotated[float | None, typer.Option(help="May be a fraction.")] = None,
    halving: Annotated[bool | None, typer.Option(help="Stop poor trials early.")] = None,
    grace_epochs: Annotated[int | None, typer.Option(help="Earliest epoch to stop at.")] = None,
    reduction_factor: Annotated[int | None, typer.Option(help="1/N goes on at a rung.")] = None,
    wandb: Annotated[str | None, typer.Option(help="offline, online or disabled.")] = None,
    address: Annotated[str | None, typer.Option(help="A running Ray cluster, e.g. auto.")] = None,
    local_cpus: Annotated[int | None, typer.Option(min=1)] = None,
    local_gpus: Annotated[int | None, typer.Option(min=0)] = None,
    storage: Storage = STUDIES,
) -> None:
    """Search hyperparameters with Ray Tune and Optuna; options override the plan file."""
    from galaxytune.search import ClusterAddress
    from galaxytune.search_commands import plan_from_options, search_and_report

    asked = {
        "architectures": architecture or None,
        "data": None if data is None else str(data),
        "name": name,
        "trials": trials,
        "epochs": epochs,
        "search_only": search_only or None,
        "as_published": as_published or None,
        "seed": seed,
        "split": split,
        "num_galaxies": num_galaxies,
        "gpus_per_trial": gpus_per_trial,
        "cpus_per_trial": cpus_per_trial,
        "halving": halving,
        "grace_epochs": grace_epochs,
        "reduction_factor": reduction_factor,
        "wandb": wandb,
    }
    study_plan = plan_from_options(plan, asked, settings or [])
    search_and_report(study_plan, storage, ClusterAddress(address, local_cpus, local_gpus))


@app.command()
def resume(
    name: str,
    address: Annotated[str | None, typer.Option(help="A running Ray cluster, e.g. auto.")] = None,
    local_cpus: Annotated[int | None, typer.Option(min=1)] = None,
    local_gpus: Annotated[int | None, typer.Option(min=0)] = None,
    gpus_per_trial: Annotated[float | None, typer.Option(help="Change the trials' share.")] = None,
    cpus_per_trial: Annotated[float | None, typer.Option(help="Change the trials' share.")] = None,
    storage: Storage = STUDIES,
) -> None:
    """Go on with a study whose driver was stopped or killed; finished trials are kept."""
    from galaxytune.search import ClusterAddress
    from galaxytune.search_commands import resume_and_report

    study = _study(storage, name)
    shares = {"gpus_per_trial": gpus_per_trial, "cpus_per_trial": cpus_per_trial}
    resume_and_report(study, ClusterAddress(address, local_cpus, local_gpus), shares)


@app.command()
def status(
    name: str,
    as_json: AsJson = False,
    watch: Annotated[bool, typer.Option(help="Refresh until the study ends.")] = False,
    storage: Storage = STUDIES,
) -> None:
    """Show where a study stands, trial by trial."""
    from galaxytune.tables import status_table, study_status, watch_status

    study = _study(storage, name)
    if as_json:
        print_json(study_status(study))
    elif watch:
        watch_status(study)
    else:
        show_table(status_table(study))


@app.command()
def leaderboard(
    names: Annotated[list[str], typer.Argument(metavar="NAME...")],
    as_json: AsJson = False,
    figure: Annotated[Path | None, typer.Option(help="Also write figures here.")] = None,
    storage: Storage = STUDIES,
) -> None:
    """List trials, best first; the noise floor stands below."""
    from galaxytune.search_commands import leaderboard_of, noise_floor_line
    from galaxytune.tables import leaderboard_table

    studies = [_study(storage, name) for name in names]
    board = leaderboard_of(studies)
    if as_json:
        print_json(board)
    else:
        show_table(leaderboard_table(board["study"], board["trials"], noise_floor_line(studies)))
    if figure is not None:
        from analysis.figures.leaderboard import save_leaderboard_figure

        records = [record for study in studies for record in study.records()]
        say(f"figure: {save_leaderboard_figure(board['study'], records, figure)}")


@app.command()
def report(
    names: Annotated[list[str], typer.Argument(metavar="NAME...")],
    out_dir: Path,
    images: Annotated[
        Path | None, typer.Option(help="Folder or zip of the survey's JPEGs, to show some.")
    ] = None,
    storage: Storage = STUDIES,
) -> None:
    """Write every figure and a self-contained report.html of one or more studies."""
    from galaxytune.report_command import report_studies

    page = report_studies([_study(storage, name) for name in names], out_dir, images)
    say(f"report: {page}")


@app.command()
def export(name: str, out_dir: Path, storage: Storage = STUDIES) -> None:
    """Write the best config with weights, metrics, provenance and a model card."""
    from galaxytune.export import export_best

    best = export_best(_study(storage, name), out_dir)
    say(f"trial {best.id} ({best.architecture}, validation RMSE {best.val_rmse:.4f}) -> {out_dir}")


@app.command()
def predict(export_dir: Path, images: Path, out: Path) -> None:
    """Predict a folder or zip of images, an npz or a catalog into OUT.csv or OUT.parquet."""
    from galaxytune.data_commands import predict_file

    predict_file(export_dir, images, out)


@app.command()
def explain(
    export_dir: Path,
    image: Path,
    out: Path,
    question: Annotated[str, typer.Option(help="Number 1 to 11, or part of its name.")],
) -> None:
    """Draw which part of an image made the network answer a question as it did."""
    from galaxytune.explain_image import explain_image

    say(explain_image(export_dir, image, question, out))


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument()] = Path("demo"),
    trials: Annotated[int, typer.Option(min=2)] = 12,
    num_galaxies: Annotated[int, typer.Option(min=100)] = 1500,
) -> None:
    """Simulate galaxies, search two narrow networks, export the best: a few minutes on a CPU."""
    from galaxytune.demo import run_demo

    run_demo(folder, num_trials=trials, num_galaxies=num_galaxies)


def _study(storage: Path, name: str) -> "StudyFolder":
    from galaxytune.study_folder import open_study

    return open_study(storage, name)


def main() -> None:
    """Run the command line: exit 0 done, 1 the work failed, 2 what the user gave is wrong."""
    try:
        code = app(sys.argv[1:] or ["--help"], standalone_mode=False)
    except (TyperException, ValueError) as error:
        text = error.format_message() if isinstance(error, TyperException) else str(error)
        say(f"galaxytune: {' '.join(text.split())}")
        sys.exit(2)
    except (FileExistsError, NotADirectoryError, IsADirectoryError, PermissionError) as error:
        say(f"galaxytune: {error.strerror}: {error.filename}; name another place")
        sys.exit(2)
    except (RuntimeError, OSError) as error:
        say(f"galaxytune: failed: {' '.join(str(error).split())}")
        sys.exit(1)
    except KeyboardInterrupt:
        say("galaxytune: stopped; the same `train`, or `resume` of a study, goes on from here")
        sys.exit(130)
    sys.exit(code if isinstance(code, int) else 0)
