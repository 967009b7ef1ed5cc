"""The one command line: galaxies, single networks and models here, studies in study_cli.

Nothing heavy is imported here: `galaxytune --help` must answer at once.
"""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from typer.exceptions import TyperException

from galaxytune import study_cli
from galaxytune.options import (
    STUDIES,
    AsJson,
    AsPublished,
    DataFile,
    Settings,
    SplitOption,
    Storage,
)
from galaxytune.terminal import print_json, say, show_table

app = typer.Typer(
    name="galaxytune",
    help="Search hyperparameters for networks that predict Galaxy Zoo vote fractions.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
data_app = typer.Typer(help="Make and check galaxy files.")
app.add_typer(data_app, name="data")


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
def export(name: str, out_dir: Path, storage: Storage = STUDIES) -> None:
    """Write the best config with weights, metrics, provenance and a model card."""
    from galaxytune.export import export_best
    from galaxytune.study_folder import open_study

    best = export_best(open_study(storage, name), out_dir)
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


study_cli.register(app)


def main() -> None:
    """Run the command line: exit 0 done, 1 the work failed, 2 what the user gave is wrong."""
    os.environ.pop("WANDB_SERVICE", None)  # of a parent: runs opened there are not in our folders
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
