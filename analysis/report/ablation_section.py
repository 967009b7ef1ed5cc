"""The report's section on the path from the published config to the best config."""

from pathlib import Path

from analysis.figures import ablation_figure
from analysis.records import Ablation
from analysis.report.page import Cell, Column, Section, Table, file_name, picture
from analysis.report.study_results import StudyResults

_TITLE = "From {start} to best"


def ablation_sections(results: StudyResults, folder: Path) -> list[Section]:
    """Return a section for each study in `results.ablations`; write their figures to `folder`.

    A section shows the path of the study, or says why there is none. The name of the study is in
    the title if the report is on several studies. OSError is raised if a file cannot be written.
    """
    several = len(results.studies) > 1
    return [
        _section(found, f": {study}" if several else "", folder)
        for study, found in results.ablations.items()
    ]


def _section(found: Ablation | str, behind: str, folder: Path) -> Section:
    """Return the section of one study.

    found: the study's ablation, or a sentence on why there is none. behind: the end of the title.
    """
    if isinstance(found, str):
        title = _TITLE.format(start="published")
        return Section(title=f"{title}{behind}", paragraphs=(found,))
    title = f"{_TITLE.format(start=found.start)}{behind} ({found.source})"
    tables, sentences = (_table(found),), tuple(found.sentences())
    if all(step.val_rmse is None for step in found.steps):
        return Section(title, (*sentences, "No training of the path was completed."), tables)
    drawn = picture(
        ablation_figure(found),
        folder,
        f"ablation_{file_name(found.study)}" if behind else "ablation",
        title=title,
        caption="Validation RMSE of each config of the path; a bar is what the step changed. "
        + _interval_words(found),
    )
    return Section(title, sentences, tables, (drawn,))


def _interval_words(found: Ablation) -> str:
    """Return a sentence on the intervals of an ablation."""
    if found.source == "predicted":
        return "Lines are 95 % intervals of the prediction."
    if found.num_seeds == 1:
        return "One seed has no interval."
    return "Lines are Student's 95 % intervals over seeds."


def _table(found: Ablation) -> Table:
    """Return the table with one row per config of the path, the published config first."""
    rmse = "predicted val RMSE" if found.source == "predicted" else "val RMSE"
    rows: list[list[Cell]] = []
    for number, step in enumerate(found.steps):
        low, high = step.interval_95 or (None, None)
        rows.append([number, found.text_of(step), step.val_rmse, low, high, step.gain_percent])
    return Table(
        title=f"Steps of the path ({found.source})",
        caption=f"Each row has the changes of all rows above. {_interval_words(found)}",
        columns=(
            Column("step", "number"),
            Column("change", help="field: old value → new value"),
            Column(rmse, "number", 4, "over all N x 37 values of validation galaxies"),
            Column("low", "number", 4, "95 % interval"),
            Column("high", "number", 4),
            Column(
                "gain %", "number", 1, f"fall of the RMSE, in percent of the {found.start} RMSE"
            ),
        ),
        rows=rows,
    )
