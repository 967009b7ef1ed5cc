"""The report's sections on constraint coefficients: one shared coefficient, or eleven."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from analysis.figures import (
    coefficient_curves_figure,
    coefficient_figure,
    coefficient_slices_figure,
    effects_figure,
)
from analysis.records import Curves, TrialRecord
from analysis.report.page import Cell, Column, Picture, Section, Table, file_name, picture
from analysis.statistics import (
    TREE_NAMES,
    Change,
    CoefficientEffect,
    CoefficientResult,
    coefficient_results,
    constraint_trials,
    effects_of_coefficients,
    effects_sentence,
    per_question_trials,
    save_tables,
    supported_sentences,
    trial_table,
)
from trainables.decision_tree import QUESTIONS


@dataclass(frozen=True)
class CoefficientFinding:
    """A result on the constraint coefficients of one architecture.

    sentences: the conclusions, one sentence each, at least one.
    section: the section of the report, which contains the sentences.
    trial_ids: ids of all trials of the architecture that were considered, also of trials that are
    not complete.
    """

    sentences: tuple[str, ...]
    section: Section
    trial_ids: frozenset[str]


@dataclass(frozen=True)
class _Asked:
    """A group of trials of one architecture, with a label for titles, sentences and files.

    trials: the trials.
    label: the label that separates these trials from other trials of the report; "" for none.
    """

    trials: Sequence[TrialRecord]
    label: str

    def before(self, sentence: str) -> str:
        """Return the sentence with the label before the sentence, if there is a label."""
        return f"{self.label}: {sentence}" if self.label else sentence

    def behind(self, title: str) -> str:
        """Return the title with the label after the title, if there is a label."""
        return f"{title}: {self.label}" if self.label else title

    def stem(self, name: str) -> str:
        """Return a file name without its suffix: `name`, or NAME_LABEL if there is a label.

        The label is spelled as `file_name` does.
        """
        return f"{name}_{file_name(self.label)}" if self.label else name


def coefficient_findings(
    studies: Mapping[str, Sequence[TrialRecord]], curves: Curves, folder: Path
) -> list[CoefficientFinding]:
    """Return what the trials of one or more studies show on constraint coefficients.

    studies: the finished trials of each study, by the study's name. curves: the reported epochs of
    each trial, by trial id. folder: figures and tables of each finding are written to this folder,
    which is made if it does not exist. OSError is raised if a file cannot be written.

    The trials of an architecture from all studies are considered together and give at most one
    finding, on one shared coefficient or on eleven coefficients (see `constraint_trials` and
    `per_question_trials`). If the trials together give no finding and there are several studies,
    the trials of each study are considered separately. The list is empty if no trials are a study
    of coefficients, or if no trial is complete.
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
    """Return the finding on one architecture's trials in a list, or []; write its files.

    records: finished trials of all architectures. label: see `_Asked`. curves, folder: see
    `coefficient_findings`.
    """
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
    """Return a finding, with the label of `asked` in its sentences and in the section's title.

    sentences: the conclusions. method: paragraphs that follow the conclusions in the section.
    """
    told = tuple(asked.before(sentence) for sentence in sentences)
    section = Section(asked.behind(title), (*told, *method), tables, pictures)
    return CoefficientFinding(told, section, frozenset(r.id for r in asked.trials))


def _one_coefficient(asked: _Asked, curves: Curves, folder: Path) -> CoefficientFinding | None:
    """Return the finding on one shared coefficient; write two tables and two figures to `folder`.

    None is returned, and nothing is written, if the trials are not a study of one coefficient or
    no trial is complete. curves: the reported epochs of each trial, by trial id.
    """
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
    """Return five cells: number of pairs, mean, low and high end of the interval, p-value.

    All five cells are None if `change` is None; the last three are None for a single pair.
    """
    if change is None:
        return [None] * 5
    return [change.num_pairs, change.mean, *(change.interval or (None, None)), change.p_value]


def _results_table(results: Sequence[CoefficientResult], file: str) -> Table:
    """Return the table with one row per result, in the given order.

    file: name of the CSV file of all trials, which the caption names.
    """

    def row(r: CoefficientResult) -> list[Cell]:
        """Return the cells of one result, in the order of the columns below."""
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
    """Return the finding on eleven coefficients; write one or two figures to `folder`.

    None is returned, and nothing is written, if the trials are not a study of eleven coefficients.
    The figure and the table of the effects are left out if there are too few trials.
    """
    trials = per_question_trials(asked.trials)
    if not trials:
        return None
    effects = effects_of_coefficients(trials)
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
    """Return the table with one row per question, in the given order."""
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
