"""The report's sections on constraint coefficients: one for all questions, and eleven."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.coefficient_effects import (
    CoefficientEffect,
    coefficient_effects,
    effects_sentence,
    per_question_trials,
)
from analysis.constraint_claims import supported_sentences
from analysis.constraint_study import (
    TREE_NAMES,
    Change,
    CoefficientResult,
    coefficient_results,
    constraint_trials,
    save_tables,
    trial_table,
)
from analysis.figures.coefficient_effects import coefficient_slices_figure, effects_figure
from analysis.figures.constraint_study import coefficient_curves_figure, coefficient_figure
from analysis.report_figure import picture
from analysis.report_page import Cell, Column, Picture, Section, Table
from analysis.trial_record import TrialRecord
from trainables.decision_tree import QUESTIONS

Curves = Mapping[str, Sequence[Mapping[str, Any]]]


@dataclass(frozen=True)
class CoefficientFinding:
    """What trials of one architecture tell of its coefficients, and the trials that were asked."""

    sentences: tuple[str, ...]
    section: Section
    trial_ids: frozenset[str]


@dataclass(frozen=True)
class _Asked:
    """Trials of one architecture, and what tells them from others of the report, "" if nothing."""

    trials: Sequence[TrialRecord]
    label: str

    def before(self, sentence: str) -> str:
        """The sentence with the label before it."""
        return f"{self.label}: {sentence}" if self.label else sentence

    def behind(self, title: str) -> str:
        """The title with the label behind it."""
        return f"{title}: {self.label}" if self.label else title

    def stem(self, name: str) -> str:
        """A file's name without its ending."""
        return re.sub(r"[^\w.-]+", "_", f"{name}_{self.label}") if self.label else name


def coefficient_findings(
    studies: Mapping[str, Sequence[TrialRecord]], curves: Curves, folder: Path
) -> list[CoefficientFinding]:
    """What the trials of one or more studies tell; figures and tables go into `folder`.

    An architecture's trials of all studies are asked together; if they are no study of
    coefficients together, those of each study alone.
    """
    together = [record for records in studies.values() for record in records]
    names = sorted({record.architecture for record in together})
    findings = []
    for name in names:
        label = name if len(names) > 1 else ""
        found = _of_architecture(together, name, label, curves, folder)
        if not found and len(studies) > 1:
            for study, records in studies.items():
                told = f"{label}, study {study}".removeprefix(", ")
                found += _of_architecture(records, name, told, curves, folder)
        findings += found
    return findings


def _of_architecture(
    records: Sequence[TrialRecord], architecture: str, label: str, curves: Curves, folder: Path
) -> list[CoefficientFinding]:
    trials = [record for record in records if record.architecture == architecture]
    asked = _Asked(trials, label)
    found = (_one_coefficient(asked, curves, folder), _eleven_coefficients(asked, folder))
    return [finding for finding in found if finding is not None]


def _finding(
    asked: _Asked,
    title: str,
    sentences: Sequence[str],
    method: Sequence[str],
    tables: Sequence[Table],
    pictures: Sequence[Picture],
) -> CoefficientFinding:
    told = tuple(asked.before(sentence) for sentence in sentences)
    section = Section(asked.behind(title), (*told, *method), tables, pictures)
    return CoefficientFinding(told, section, frozenset(r.id for r in asked.trials))


def _one_coefficient(asked: _Asked, curves: Curves, folder: Path) -> CoefficientFinding | None:
    trials = constraint_trials(asked.trials)
    table = trial_table(trials) if trials else None
    if table is None or (table["status"] == "complete").sum() == 0:
        return None
    results = coefficient_results(table)
    stem = asked.stem("constraint_coefficient")
    save_tables(table, results, folder, stem)
    pictures = (
        picture(
            coefficient_figure(results, table),
            folder,
            stem,
            title="RMSE and tree residual by coefficient",
            caption="Means over seeds with Student's 95 % intervals; small marks are seeds. All "
            "values are of validation galaxies at a trial's best epoch.",
        ),
        picture(
            coefficient_curves_figure(table, curves),
            folder,
            asked.stem("constraint_curves"),
            title="Learning curves by coefficient",
            caption="Validation RMSE after each epoch, a line a seed (figure 7 of the student "
            "report, which had one seed and its test part). Coefficient 0 is the same by either "
            "tree.",
        ),
    )
    method = (
        "Differences from coefficient 0, which is the same by either tree, are paired by seed; "
        "p-values are Student's, adjusted by Holm's method for the coefficients of one tree, "
        "for RMSE and tree residual each."
    )
    tables = [_results_table(results, f"{stem}.csv")]
    return _finding(
        asked,
        "One constraint coefficient",
        supported_sentences(results),
        [method],
        tables,
        pictures,
    )


def _change_cells(change: Change | None) -> list[Cell]:
    """Pairs, mean, both ends of the interval and p-value."""
    if change is None:
        return [None] * 5
    return [change.num_pairs, change.mean, *(change.interval or (None, None)), change.p_value]


def _results_table(results: Sequence[CoefficientResult], file: str) -> Table:
    def row(r: CoefficientResult) -> list[Cell]:
        pairs, *change = _change_cells(r.rmse_change)
        _, residual, _, _, p = _change_cells(r.residual_change)
        cells: list[Cell] = [TREE_NAMES[r.tree], r.coefficient, r.num_seeds, r.rmse, r.residual]
        return [*cells, pairs, *change, residual, p]

    return Table(
        title="Coefficients against 0",
        caption=f"Means over seeds; {file} beside this page has every trial.",
        columns=(
            Column("tree"),
            Column("coefficient", "number"),
            Column("seeds", "number"),
            Column("val RMSE", "number", 4),
            Column("tree residual", "number", 4, "mean over questions, by the true tree"),
            Column("pairs", "number", None, "seeds in common with coefficient 0"),
            Column("RMSE less that of 0", "number", 4),
            Column("low", "number", 4, "95 % interval of the difference, this one alone"),
            Column("high", "number", 4),
            Column("p", "number", 3, "Holm-adjusted over the coefficients of the tree"),
            Column("residual less that of 0", "number", 4),
            Column("p of residual", "number", 3, "Holm-adjusted over the same"),
        ),
        rows=[row(r) for r in results],
    )


def _eleven_coefficients(asked: _Asked, folder: Path) -> CoefficientFinding | None:
    trials = per_question_trials(asked.trials)
    if not trials:
        return None
    effects = coefficient_effects(trials)
    pictures = [
        picture(
            coefficient_slices_figure(trials),
            folder,
            asked.stem("eleven_coefficients"),
            title="RMSE by each question's coefficient",
            caption="One dot a complete trial; the other ten coefficients differ too.",
        )
    ]
    if effects:
        drawn = picture(
            effects_figure(effects),
            folder,
            asked.stem("coefficient_effects"),
            title="What each question's term does",
            caption="Slope of a straight fit in all eleven logarithms; the intervals are "
            "bootstrapped over trials and hold together at 95 %.",
        )
        pictures.insert(0, drawn)
    return _finding(
        asked,
        "Eleven constraint coefficients",
        [effects_sentence(effects, len(trials))],
        (),
        [_effects_table(effects)] if effects else [],
        pictures,
    )


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
