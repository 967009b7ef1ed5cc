"""The commands for single networks: architectures, train, export, predict, explain."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from galaxytune.cli.options import (
    STUDIES,
    AsJson,
    AsPublished,
    DataFile,
    GivenPath,
    MovedData,
    Settings,
    SplitOption,
    Storage,
)
from galaxytune.cli.terminal import print_json, progress_bar, say, show_table
from search_spaces.declaration import InvalidInput

if TYPE_CHECKING:
    from galaxytune.models import Crop, NumPicks
    from trainables.training import EpochReport, NumViews

CropOption = Annotated[
    str,
    typer.Option(
        "--crop",
        metavar="N|none|training",
        help="Side in pixels of the central square to keep of each image, before it is resized; "
        "none keeps the largest square, training what was kept in the training. It is for images "
        "of another field of view or scale.",
    ),
]


class TableFormat(StrEnum):
    """A form of the file that `predict` writes."""

    TABLE = "table"
    KAGGLE = "kaggle"


class RefitRowsOption(StrEnum):
    """The rows of a refit; see `galaxytune.models.RefitRows`."""

    ALL = "all"
    NOT_TEST = "not_test"


class ExportFormat(StrEnum):
    """A format of an exported model; `export` always writes the export folder."""

    FOLDER = "folder"
    ONNX = "onnx"
    TORCH = "torch"


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the command line `app`."""
    for command in (architectures, train, export, predict, explain):
        app.command()(command)


def architectures(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...")] = None,
    as_json: AsJson = False,
) -> None:
    """List all architectures, or the named ones, with their parameters and sources."""
    from galaxytune.cli.tables import architectures_table
    from galaxytune.models import described_architectures

    rows = described_architectures(names or [])
    if as_json:
        print_json([row.as_values() for row in rows])
    else:
        show_table(architectures_table(rows))


def train(
    architecture: str,
    out_dir: GivenPath,
    data: DataFile,
    settings: Settings = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Epochs. Default: the architecture's own number.")
    ] = None,
    as_published: AsPublished = False,
    split: SplitOption = None,
    num_galaxies: Annotated[
        int | None, typer.Option(min=10, help="Galaxies of the file to use. Default: all.")
    ] = None,
) -> None:
    """Train one config without Ray; `galaxytune predict` can then use OUT_DIR.

    ARCHITECTURE is the name of an architecture. OUT_DIR may not hold other files. A training that
    was interrupted goes on if the same command is given again.
    """
    from galaxytune import api
    from galaxytune.cli.plan_options import parse_settings

    values = parse_settings(settings or [])
    if epochs is not None:
        if "epochs" in values:
            raise InvalidInput("--epochs and --set epochs both stand; leave one out")
        values["epochs"] = epochs
    config = api.make_config(
        architecture, protocol="published" if as_published else "default", **values
    )

    def tell(report: "EpochReport") -> None:
        say(
            f"epoch {report.epoch}/{config.epochs}  training RMSE "
            f"{report.train_rmse:.4f}  validation RMSE {report.val_rmse:.4f}"
        )

    chosen = split or ("seed" if as_published else "hash")
    model = api.train(
        config,
        data,
        out_dir,
        split=chosen,  # type: ignore[arg-type]
        num_galaxies=num_galaxies,
        on_epoch=tell,
    )
    validation = model.metrics["validation"]
    low, high = validation["rmse_interval_95"]
    say(
        f"best epoch {model.metrics['best_epoch']}: validation RMSE {validation['rmse']:.4f} "
        f"(95 % {low:.4f} to {high:.4f}) -> {out_dir}"
    )


def export(
    name: str,
    out_dir: GivenPath,
    formats: Annotated[
        list[ExportFormat] | None,
        typer.Option(
            "--format",
            help="onnx also writes model.onnx, torch also writes model.pt2. Repeatable.",
        ),
    ] = None,
    ensemble: Annotated[
        str | None,
        typer.Option(
            metavar="auto|K",
            help="Write an ensemble of K picks among the trials with weights, auto for the best "
            "of at most 50 picks. Default: the best trial alone.",
        ),
    ] = None,
    refit: Annotated[
        bool,
        typer.Option(
            "--refit",
            help="Train the config, or each member, again on more galaxies, see --refit-rows.",
        ),
    ] = False,
    refit_rows: Annotated[
        RefitRowsOption,
        typer.Option(
            help="Galaxies of --refit. all takes those of training, validation and test; the "
            "metrics stay those of the model before. not_test leaves those of test out, so that "
            "the test metrics are measured on the refitted model.",
        ),
    ] = RefitRowsOption.ALL,
    data: MovedData = None,
    storage: Storage = STUDIES,
) -> None:
    """Write the best config of a study with weights, metrics, provenance and a model card.

    NAME is the study, and OUT_DIR is the folder to write. With --ensemble the folder holds an
    ensemble of the study's trials, which is used like one model.
    """
    from galaxytune import api
    from galaxytune.models import gain_sentences, refit_sentence

    study = api.open_study(name, storage=storage)
    model = study.export(
        out_dir,
        ensemble=_picks(ensemble),
        refit=refit,
        refit_rows=refit_rows.value,
        formats=[form.value for form in formats or ()],
        data=data,
        on_step=say,
    )
    trial, rmse = model.provenance["trial"], model.metrics["validation"]["rmse"]
    told = f"trial {trial} ({model.config.architecture}"
    if model.members:
        told = f"{model.label} ({model.metrics['ensemble']['num_picks']} picks"
    say(f"{told}, validation RMSE {rmse:.4f}) -> {out_dir}")
    for sentence in (*gain_sentences(model.metrics), refit_sentence(model.metrics)):
        if sentence:
            say(sentence)
    for file, difference in model.provenance["largest_difference_by_file"].items():
        say(f"{file} differs from the model by at most {difference:.1e} in a vote fraction")


def predict(
    export_dir: GivenPath,
    images: GivenPath,
    out: GivenPath,
    crop: CropOption = "training",
    views: Annotated[
        int | None,
        typer.Option(
            help="8 averages over the rotations by 90 degrees and mirrorings of each image, which "
            "takes eight times as long; 1 does not. Default: what the model card says.",
            show_default=False,
        ),
    ] = None,
    form: Annotated[
        TableFormat,
        typer.Option(
            "--format",
            help="kaggle writes a submission to the Galaxy Zoo challenge, with GalaxyID as its "
            "first column and the galaxies in order; the ids must be whole numbers, and OUT a "
            ".csv file. table writes the ids as they are.",
        ),
    ] = TableFormat.TABLE,
) -> None:
    """Predict the vote fractions of images into OUT.csv or OUT.parquet.

    EXPORT_DIR is a folder that `export` or `train` wrote. IMAGES is a folder or zip of JPEG, PNG,
    TIFF or WebP files, one such file, a galaxy file (npz) with or without votes, or a catalog: a
    CSV or parquet file with the columns id_str and file_loc, whose relative paths begin at its own
    folder.

    Images are cut to their centre and reduced, as those of the training were; images that have the
    size of the training's are used uncut. Of 16 bits a channel the upper 8 are used. Transparent
    pixels are blended with black. An image that cannot be read is skipped and named.
    """
    predict_with_progress(
        export_dir, images, out, crop=_crop(crop), views=_views(views), form=form
    )


def predict_with_progress(
    export_dir: Path,
    images: Path,
    out: Path,
    *,
    crop: "Crop" = "training",
    views: "NumViews | None" = None,
    form: TableFormat = TableFormat.TABLE,
) -> None:
    """Write the predicted vote fractions of images to a table, and show a progress bar.

    export_dir: a folder that `export` or `train` wrote. images: a path that `Model.predict` takes.
    out: the table to write, .csv or .parquet; an older file is replaced. crop: how images are cut.
    views: 1, or 8 for an average over the symmetries of the square; None for what the export's
    metrics show to be worth taking. form: the form of the table;
    KAGGLE needs ids that are whole numbers, and a `out` that ends in .csv.
    What was done with the images' sizes, the images that were skipped, and the number of
    predictions are printed on standard error.

    InvalidInput is raised if one of the six is wrong, if no image can be read, or if `out`
    cannot be written there. WorkFailed is raised if memory does not hold one image, or if `out`
    can no longer be written after the work; the predictions are then written elsewhere.
    """
    from galaxytune.models import (
        as_submission,
        check_submission_name,
        check_table_name,
        galaxy_numbers,
        load_export,
        predict_images,
        write_table_somewhere,
    )
    from trainables.files import check_output_file
    from trainables.galaxies import grouped

    is_for_kaggle = form is TableFormat.KAGGLE
    (check_submission_name if is_for_kaggle else check_table_name)(out)
    check_output_file(out, [images])
    export = load_export(export_dir)
    with progress_bar() as bar:
        task = bar.add_task("predicting", total=None)
        found = predict_images(
            export,
            images,
            crop=crop,
            num_views=views,
            check_ids=galaxy_numbers if is_for_kaggle else None,
            on_progress=lambda done: bar.update(task, completed=done),
        )
    say(found.framing)
    if views is None and found.num_views == 8:
        say("8 views of each image are averaged, as the model card says; --views 1 is faster")
    for line in grouped(found.skipped):
        say(f"skipped {line}")
    write_table_somewhere(as_submission(found.table) if is_for_kaggle else found.table, out)
    done, left_out = len(found.table), len(found.skipped)
    if is_for_kaggle and left_out:
        say("Kaggle refuses a submission that lacks a galaxy; the skipped images have no row")
    say(
        f"{done} prediction{'' if done == 1 else 's'} -> {out}; "
        f"{left_out} image{'' if left_out == 1 else 's'} skipped"
    )


def explain(
    export_dir: GivenPath,
    image: GivenPath,
    out: GivenPath,
    question: Annotated[
        str, typer.Option(help="Number of a question from 1 to 11, or part of its name.")
    ],
    crop: CropOption = "training",
) -> None:
    """Draw which part of an image led the network to its answer to a question.

    EXPORT_DIR is a folder that `export` or `train` wrote. IMAGE is a JPEG, PNG, TIFF or WebP file,
    which is cut and reduced as in `predict`. OUT is the figure to write, .png or .pdf.
    """
    from analysis.explanation import find_question
    from galaxytune import api
    from galaxytune.models import check_figure_name
    from trainables.files import check_output_file

    kept = _crop(crop)
    find_question(question)
    check_figure_name(out)
    check_output_file(out, [image])
    explanation = api.load_model(export_dir).explain(image, question, crop=kept)
    say(explanation.framing)
    say(f"{explanation} -> {explanation.save(out)}")


def _picks(text: str | None) -> "NumPicks | None":
    """Return the value of `--ensemble`; InvalidInput unless it is `auto` or a number from 1."""
    if text is None or text == "auto":
        return text  # type: ignore[return-value]
    if not text.isdecimal() or int(text) < 1:
        raise InvalidInput(f"--ensemble is auto or a number of picks from 1, not {text!r}")
    return int(text)


def _views(number: int | None) -> "NumViews | None":
    """Return the value of `--views`, None if it was not given; InvalidInput unless 1 or 8."""
    if number is None or number == 1:
        return number  # type: ignore[return-value]
    if number == 8:
        return 8
    raise InvalidInput(f"--views is 1 or 8, got {number}")


def _crop(text: str) -> "Crop":
    """Return the value of `--crop`; InvalidInput unless it is a number of pixels or a word."""
    from galaxytune.models import check_crop

    crop = int(text) if text.strip().isdecimal() else text
    check_crop(crop)
    return crop  # type: ignore[return-value]
