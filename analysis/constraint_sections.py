"""The report's sections on constraint coefficients: one for all questions, and eleven."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from analysis.coefficient_effects import (
    CoefficientEffect,
    coefficient_effects,
    effects_sentence,
    per_question_trials,
)
from analysis.constraint_study import (
    TREE_NAMES,
    CoefficientResult,
    coefficient_results,
    constraint_trials,
    save_tables,
    supported_sentence,
    trial_table,
)
from analysis.figures.coefficient_effects import coefficient_slices_figure, effects_figure
from analysis.figures.constraint_study import coefficient_curves_figure, coefficient_figure
from analysis.report_figure import picture
from analysis.report_page import Cell, Column, Section, Table
from analysis.trial_record import TrialRecord
from trainables.decision_tree import QUESTIONS

Curves = Mapping[str, Sequence[Mapping[str, Any]]]


def constraint_sections(
    records: Sequence[TrialRecord], curves: Curves, folder: Path
) -> list[Section]:
    """The sections that these trials allow, their figures and tables written into `folder`.

    The first paragraph of each says what the data support.
    """
    return [*_one_coefficient(records, curves, folder), *_eleven_coefficients(records, folder)]


def _one_coefficient(
    records: Sequence[TrialRecord], curves: Curves, folder: Path
) -> list[Section]:
    trials = constraint_trials(records)
    table = trial_table(trials) if trials else None
    if table is None or (table["status"] == "complete").sum() == 0:
        return []
    results = coefficient_results(table)
    save_tables(table, results, folder)
    pictures = (
        picture(
            coefficient_figure(results, table),
            folder,
            "constraint_coefficient",
            title="RMSE and tree residual by coefficient",
            caption="Means over seeds with Student's 95 % intervals; small marks are seeds. All "
            "values are of validation galaxies at a trial's best epoch.",
        ),
        picture(
            coefficient_curves_figure(table, curves),
            folder,
            "constraint_curves",
            title="Learning curves by coefficient",
            caption="Validation RMSE after each epoch, a line a seed (figure 7 of the student "
            "report, which had one seed and its test part).",
        ),
    )
    return [
        Section(
            title="One constraint coefficient",
            paragraphs=(
                supported_sentence(results),
                "Differences are paired by seed; p-values are Student's, adjusted by Holm's "
                "method for the number of coefficients compared with 0.",
            ),
            tables=(_results_table(results),),
            pictures=pictures,
        )
    ]


def _results_table(results: Sequence[CoefficientResult]) -> Table:
    def row(r: CoefficientResult) -> list[Cell]:
        low, high = r.difference_interval or (None, None)
        means: list[Cell] = [r.rmse, r.residual]
        return [TREE_NAMES[r.tree], r.coefficient, r.num_seeds, *means, r.difference, low, high,
                r.p_value]  # fmt: skip

    return Table(
        title="Coefficients against 0",
        caption="Means over seeds; constraint_coefficient.csv beside this page has every trial.",
        columns=(
            Column("tree"),
            Column("coefficient", "number"),
            Column("seeds", "number"),
            Column("val RMSE", "number", 4),
            Column("tree residual", "number", 4),
            Column("RMSE less that of 0", "number", 4),
            Column("low", "number", 4, "95 % interval of the difference, this one alone"),
            Column("high", "number", 4),
            Column("p", "number", 3, "Holm-adjusted"),
        ),
        rows=[row(r) for r in results],
    )


def _eleven_coefficients(records: Sequence[TrialRecord], folder: Path) -> list[Section]:
    trials = per_question_trials(records)
    if not trials:
        return []
    effects = coefficient_effects(trials)
    pictures = [
        picture(
            coefficient_slices_figure(trials),
            folder,
            "eleven_coefficients",
            title="RMSE by each question's coefficient",
            caption="One dot a complete trial; the other ten coefficients differ too.",
        )
    ]
    if effects:
        drawn = picture(
            effects_figure(effects),
            folder,
            "coefficient_effects",
            title="What each question's term does",
            caption="Slope of a straight fit in all eleven logarithms; the intervals are "
            "bootstrapped over trials and hold together at 95 %.",
        )
        pictures.insert(0, drawn)
    return [
        Section(
            title="Eleven constraint coefficients",
            paragraphs=(effects_sentence(effects, len(trials)),),
            tables=(_effects_table(effects),) if effects else (),
            pictures=tuple(pictures),
        )
    ]


def _effects_table(effects: Sequence[CoefficientEffect]) -> Table:
    names = {q.number: q.name for q in QUESTIONS}
    return Table(
        title="Effect of each question's coefficient",
        caption="Change of validation RMSE for ten times the coefficient; below 0 it helps.",
        columns=(
            Column("question", "number"),
            Column("name"),
            Column("effect", "number", 5),
            Column("low", "number", 5),
            Column("high", "number", 5),
            Column("verdict"),
        ),
        rows=[
            [e.question, names[e.question], e.effect, e.low, e.high, e.verdict] for e in effects
        ],
    )
