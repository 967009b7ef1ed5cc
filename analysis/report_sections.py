"""What a report says, section by section; figures go into its folder on the way."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from analysis.figures.calibration import calibration_figure
from analysis.figures.decision_tree import decision_tree_figure
from analysis.figures.explanation import explanation_page
from analysis.figures.gallery import gallery_figure
from analysis.figures.hyperparameter_effects import (
    importance_figure,
    parallel_coordinates_figure,
    slices_figure,
)
from analysis.figures.leaderboard import leaderboard_figure
from analysis.figures.learning_curves import learning_curves_figure
from analysis.figures.preprocessing import preprocessing_figure
from analysis.figures.question_error import question_error_figure
from analysis.leaderboard import leaderboard_rows
from analysis.report_figure import picture
from analysis.report_page import Column, Picture, Section, Table
from analysis.study_results import BestNetwork, StudyResults
from trainables.decision_tree import COLUMNS

_NUM_PREPROCESSED = 3  # galaxies in the preprocessing figure
_SPIRAL = COLUMNS.index("Class4.1")


def leaderboard_section(results: StudyResults, folder: Path) -> Section:
    """All trials in order, and the figure of the best."""
    columns = (
        Column("rank", "number"),
        Column("trial"),
        Column("architecture"),
        Column("status"),
        Column("val RMSE", "number", 4, "over all N x 37 values, at the best epoch"),
        Column("best epoch", "number"),
        Column("epochs", "number"),
        Column("tree residual", "number", 4),
        Column("device-seconds", "number", 1),
        Column("reason"),
    )
    rows = leaderboard_rows(results.name, results.records)
    names = ("rank", "id", "architecture", "status", "val_rmse", "best_epoch", "epochs",
             "tree_residual", "device_seconds", "reason")  # fmt: skip
    table = Table(
        title="All trials",
        caption="Complete trials before those stopped early. Marked: a published config.",
        columns=columns,
        rows=[[row[name] for name in names] for row in rows],
        marked={i for i, row in enumerate(rows) if row["published"]},
    )
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
    """Learning curves of all trials; [] where no epoch was reported."""
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
    """What was searched and what it did, a section an architecture that had a search."""
    sections = []
    for name in results.architectures:
        kinds = (
            ("slices", slices_figure, "RMSE by each searched value; hollow was stopped early."),
            ("parallel", parallel_coordinates_figure, "Complete trials, coloured by RMSE."),
            ("importance", importance_figure, "PED-ANOVA: what sets the best quarter apart."),
        )
        pictures = []
        for kind, draw, caption in kinds:
            figure = draw(results.records, name)
            if figure is not None:
                title = f"{name}: {kind}"
                file = f"hyperparameters_{name.replace(':', '_')}_{kind}"
                pictures.append(picture(figure, folder, file, title=title, caption=caption))
        if pictures:
            sections.append(Section(title=f"Hyperparameters of {name}", pictures=tuple(pictures)))
    return sections


def error_section(results: StudyResults, folder: Path) -> list[Section]:
    """Errors by question and calibration, on test galaxies; [] while no trial is complete."""
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
    """Galaxies on their way in, by predicted form, and one on the tree; [] as above."""
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
            caption=f"The surest predictions of {best.tested.label}, what was voted beside.",
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
    """What the best network that is here is shown; [] where none is."""
    for best in results.best.values():
        if best.network is not None:
            return [_inputs(results, best, best.network.image_side, folder)]
    return []


def _inputs(results: StudyResults, best: BestNetwork, input_side: int, folder: Path) -> Picture:
    rows: Sequence[int] = range(min(_NUM_PREPROCESSED, len(best.tested)))
    survey = results.survey
    if survey is not None:
        place = {int(i): row for row, i in enumerate(best.tested.ids)}
        rows = [place[int(i)] for i in survey.ids[:_NUM_PREPROCESSED]]
    figure = preprocessing_figure(
        best.tested.images[np.asarray(rows)],
        best.config,
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
    """A page of heat maps for each architecture's best network; [] while there is none."""
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
