"""The report's sections on trials, curves, hyperparameters, errors, galaxies, explanations."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from analysis.figures import (
    calibration_figure,
    decision_tree_figure,
    explanation_page,
    gallery_figure,
    importance_figure,
    leaderboard_figure,
    learning_curves_figure,
    parallel_coordinates_figure,
    preprocessing_figure,
    question_error_figure,
    slices_figure,
)
from analysis.records import make_leaderboard
from analysis.report.page import Column, Picture, Section, Table, file_name, picture
from analysis.report.study_results import BestNetwork, StudyResults
from trainables.decision_tree import COLUMNS

_NUM_PREPROCESSED = 3  # number of galaxies in the preprocessing figure
_SPIRAL = COLUMNS.index("Class4.1")


def leaderboard_section(results: StudyResults, folder: Path) -> Section:
    """Return the section with all trials in order of merit.

    leaderboard.png and leaderboard.pdf are written to `folder`, unless no trial has an RMSE;
    OSError is raised if a file cannot be written.
    """
    columns = (
        Column("rank", "number"),
        Column("trial"),
        Column("architecture"),
        Column("status"),
        Column("val RMSE", "number", 4, "over all N x 37 values, at the best epoch"),
        Column("best epoch", "number"),
        Column("epochs", "number"),
        Column("tree residual", "number", 4),
        Column("seeds", "number", None, "complete trials of the same config with any seed"),
        Column("mean val RMSE", "number", 4, "over these seeds"),
        Column("device-seconds", "number", 1),
        Column("reason"),
    )
    rows = make_leaderboard({results.name: results.records}).trials
    names = ("rank", "id", "architecture", "status", "val_rmse", "best_epoch", "epochs",
             "tree_residual", "num_seeds", "mean_val_rmse", "device_seconds",
             "reason")  # fmt: skip
    table = Table(
        title="All trials",
        caption="Complete trials before those stopped early. Marked: a published config.",
        columns=columns,
        rows=[[getattr(row, name) for name in names] for row in rows],
        marked={i for i, row in enumerate(rows) if row.published},
    )
    if all(record.val_rmse is None for record in results.records):
        return Section(title="Leaderboard", tables=(table,))
    drawn = picture(
        leaderboard_figure(results.name, results.records),
        folder,
        "leaderboard",
        title="Leaderboard",
        caption="Validation RMSE at the best epoch; published configs are ringed, hollow marks "
        "were stopped early.",
    )
    return Section(title="Leaderboard", tables=(table,), pictures=(drawn,))


def curves_section(results: StudyResults, folder: Path) -> list[Section]:
    """Return a list with the section of learning curves, or [] if no epoch was reported.

    learning_curves.png and learning_curves.pdf are written to `folder`; OSError is raised if a
    file cannot be written.
    """
    if not any(results.curves.values()):
        return []
    drawn = picture(
        learning_curves_figure(results.records, results.curves),
        folder,
        "learning_curves",
        title="Learning curves",
        caption="Validation RMSE of every trial; the best is bold, its training curve dashed.",
    )
    return [Section(title="Learning curves", pictures=(drawn,))]


def hyperparameter_sections(results: StudyResults, folder: Path) -> list[Section]:
    """Return one section for each architecture with searched fields; write figures to `folder`.

    The sections show the searched values, their effect on the RMSE, and their importance. An
    architecture has no section if no field has two values in its trials, so the list may be empty.
    OSError is raised if a file cannot be written.
    """
    sections = []
    for name in results.architectures:
        kinds = (
            ("slices", slices_figure, "RMSE by each searched value; hollow: stopped early."),
            ("parallel", parallel_coordinates_figure, "Complete trials, coloured by RMSE."),
            ("importance", importance_figure, "PED-ANOVA: what distinguishes the best quarter."),
        )
        pictures = []
        for kind, draw, caption in kinds:
            figure = draw(results.records, name)
            if figure is not None:
                title = f"{name}: {kind}"
                file = f"hyperparameters_{file_name(name)}_{kind}"
                pictures.append(picture(figure, folder, file, title=title, caption=caption))
        if pictures:
            sections.append(Section(title=f"Hyperparameters of {name}", pictures=tuple(pictures)))
    return sections


def error_section(results: StudyResults, folder: Path) -> list[Section]:
    """Return a list with the section on errors by question and calibration, on test galaxies.

    The errors are those of all best networks; the calibration is that of the first network of
    `results.best`. The figures are written to `folder`; OSError is raised if a file cannot be
    written. The list is empty if no network has predictions.
    """
    if not results.best:
        return []
    tested = [best.tested for best in results.best.values()]
    errors = picture(
        question_error_figure(tested, results.num_votes),
        folder,
        "question_error",
        title="RMSE by question",
        caption="Test galaxies; 95 % bootstrap intervals over galaxies. A question that few "
        "reach has small fractions and so a small RMSE.",
    )
    calibrated = picture(
        calibration_figure(tested[0]),
        folder,
        "calibration",
        title="Predicted against voted",
        caption=f"{tested[0].label}: where the marks leave the diagonal, the fraction predicted "
        "is not the one voted on average.",
    )
    return [Section(title="Errors by question", pictures=(errors, calibrated))]


def galaxies_section(results: StudyResults, folder: Path) -> list[Section]:
    """Return a list with the section that shows test galaxies; write its figures to `folder`.

    The figures show galaxies before and after preprocessing, galaxies by predicted morphology, and
    one galaxy on the decision tree. The predictions are those of the first network of
    `results.best`. The list is empty if no network has predictions. OSError is raised if a file
    cannot be written.
    """
    if not results.best:
        return []
    best = next(iter(results.best.values()))
    spiral = int(best.tested.voted[:, _SPIRAL].argmax())
    tree = decision_tree_figure(
        best.tested.images[spiral],
        best.tested.voted[spiral],
        best.tested.predicted[spiral],
        f"Galaxy {best.tested.ids[spiral]}: votes and {best.tested.label}",
    )
    pictures = (
        *_preprocessing(results, folder),
        picture(
            gallery_figure(best.tested),
            folder,
            "gallery",
            title="Test galaxies by predicted form",
            caption=f"Highest predicted fractions of {best.tested.label}, with the votes beside.",
        ),
        picture(
            tree,
            folder,
            "decision_tree",
            title="One galaxy on the decision tree",
            caption="The test galaxy with the highest voted fraction of spiral arms.",
        ),
    )
    return [Section(title="Galaxies", pictures=pictures)]


def _preprocessing(results: StudyResults, folder: Path) -> list[Picture]:
    """Return a list with one picture of galaxies before and after preprocessing, or [].

    The picture shows the preprocessing for the first network of `results.best` whose weights were
    kept. The picture is written to `folder`. The list is empty if no weights were kept.
    """
    for best in results.best.values():
        if best.network is not None:
            return [_inputs(results, best, best.network.image_side, folder)]
    return []


def _inputs(results: StudyResults, best: BestNetwork, input_side: int, folder: Path) -> Picture:
    """Return the picture of galaxies before and after the preprocessing of one network.

    best: the network's trial and test galaxies. input_side: side of the network's input in pixels.
    folder: the picture is written to this folder. The picture shows up to three galaxies: the
    galaxies with a survey image, or the first test galaxies if `results.survey` is None. KeyError
    is raised if a survey image is not of a test galaxy.
    """
    rows: Sequence[int] = range(min(_NUM_PREPROCESSED, len(best.tested)))
    survey = results.survey
    if survey is not None:
        place = {int(i): row for row, i in enumerate(best.tested.ids)}
        rows = [place[int(i)] for i in survey.ids[:_NUM_PREPROCESSED]]
    figure = preprocessing_figure(
        best.tested.images[np.asarray(rows)],
        best.record.config,
        input_side=input_side,
        survey_images=None if survey is None else survey.pixels[:_NUM_PREPROCESSED],
        crop=None if survey is None else survey.crop,
    )
    return picture(
        figure,
        folder,
        "preprocessing",
        title="Before and after preprocessing",
        caption=f"What {best.record.architecture} is shown; only training images are augmented.",
    )


def explanation_section(results: StudyResults, folder: Path) -> list[Section]:
    """Return a list with the section of heat maps; write one figure per network to `folder`.

    The networks are the best networks of all architectures, if their weights were kept. The list
    is empty if no weights were kept. The heat maps are computed on `results.device` by `explain`,
    which may raise OutOfMemory. OSError is raised if a file cannot be written.
    """
    pictures = [
        picture(
            explanation_page(best.tested, best.network, results.device),
            folder,
            f"explanation_{name.replace(':', '_')}",
            title=f"What {name} looks at",
            caption="Test galaxies. A heat map belongs to the answer with the most predicted "
            "votes of the question asked.",
        )
        for name, best in results.best.items()
        if best.network is not None
    ]
    return [Section(title="Explanations", pictures=tuple(pictures))] if pictures else []
