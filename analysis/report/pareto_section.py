"""The report's section on two objectives: RMSE, tree residual, and the limit on the residual."""

from collections.abc import Sequence
from pathlib import Path

from analysis.figures import pareto_figure
from analysis.records import TrialRecord, both_objectives, pareto_front, published_trial
from analysis.report.page import Cell, Column, Section, Table, picture
from analysis.report.study_results import StudyResults

_NOTE = (
    "Each trial was trained once, and both numbers are of validation galaxies at its best epoch: "
    "trials that stand close together may change places with another seed."
)


def pareto_section(results: StudyResults, folder: Path) -> tuple[Section, list[str]] | None:
    """Return the section on RMSE against tree residual, with its sentences for the summary.

    results: the results to report. folder: pareto.png and pareto.pdf are written to this folder;
    OSError is raised if a file cannot be written. None is returned, and nothing is written, if no
    complete trial has a tree residual, or if the tree residual does not count. The tree residual
    counts if a study has the tree residual as second objective or has a limit on it.
    """
    limit = results.max_tree_residual
    trials = [record for record in results.records if both_objectives(record) is not None]
    if not trials or not (results.two_objectives or limit is not None):
        return None
    drawn = picture(
        pareto_figure(results.records, max_tree_residual=limit),
        folder,
        "pareto",
        title="RMSE against tree residual",
        caption="A mark a complete trial; the line joins the Pareto front, above and right of it "
        "trials are beaten in both. Where trials of the front stand close together not all are "
        "named; the table has them all.",
    )
    sentences = [_front_sentence(trials), *_published_sentence(trials)]
    if limit is not None:
        sentences.append(_limit_sentence(trials, limit))
    section = Section(
        title="RMSE against tree residual",
        paragraphs=(*sentences, _NOTE),
        tables=(_front_table(trials, limit),),
        pictures=(drawn,),
    )
    return section, sentences


def _values(record: TrialRecord) -> tuple[float, float]:
    """Return (validation RMSE, tree residual) of a complete trial that has both values.

    AssertionError is raised for another trial.
    """
    values = both_objectives(record)
    assert values is not None  # the callers leave out trials without values
    return values


def _told(record: TrialRecord) -> str:
    """Return the id and both values of a complete trial as a text, for use in a sentence."""
    rmse, residual = _values(record)
    return f"trial {record.id} (RMSE {rmse:.4f}, residual {residual:.4f})"


def _front_sentence(trials: Sequence[TrialRecord]) -> str:
    """Return a sentence on how much RMSE the trials of the Pareto front trade for tree residual.

    trials: complete trials with both values, at least one. If a single trial is on the front, the
    sentence says that the two goals do not compete.
    """
    front = pareto_front(trials)
    first, last = front[0], front[-1]
    if len(front) == 1:
        return (
            f"No complete trial beats {_told(first)} in validation RMSE or in tree residual: "
            "among these trials the two goals do not compete."
        )
    (rmse, residual), (worse_rmse, better_residual) = _values(first), _values(last)
    return (
        f"{len(front)} of {len(trials)} complete trials are on the Pareto front, beaten by none "
        f"in both validation RMSE and tree residual: from {_told(first)} to {_told(last)}, "
        f"{100 * (1 - better_residual / residual):.1f} % less residual costs "
        f"{100 * (worse_rmse / rmse - 1):.1f} % more RMSE."
    )


def _published_sentence(trials: Sequence[TrialRecord]) -> list[str]:
    """Return a list with one sentence on the position of the best published config, or [].

    trials: complete trials with both values. The sentence says whether the config is on the Pareto
    front and, if not, how many trials are as good or better in both values. The list is empty if
    no trial has a published config.
    """
    published = published_trial(trials)
    if published is None:
        return []
    mine = _values(published)
    better = [
        values
        for values in map(_values, trials)
        if values != mine and values[0] <= mine[0] and values[1] <= mine[1]
    ]
    what = f"The best published config, {published.architecture}'s {_told(published)},"
    if not better:
        return [f"{what} is on the front."]
    are = "trial is" if len(better) == 1 else "trials are"
    return [f"{what} is not on the front: {len(better)} {are} as good or better in both."]


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"


def _limit_sentence(trials: Sequence[TrialRecord], limit: float) -> str:
    """Return a sentence on how many trials keep the limit, and which of them has the lowest RMSE.

    trials: complete trials with both values, at least one. limit: the largest tree residual that
    is allowed. If the trial with the lowest RMSE of all trials breaks the limit, the sentence
    names this trial too.
    """
    kept = [record for record in trials if _values(record)[1] <= limit]
    what = f"the limit of {limit:g} on the tree residual"
    if not kept:
        return f"None of {_counted(len(trials), 'complete trial')} keeps {what}."
    best, lowest = (min(some, key=_values) for some in (kept, trials))
    told = f"{len(kept)} of {_counted(len(trials), 'complete trial')} keep{'s' * (len(kept) == 1)}"
    if best is lowest:
        return f"{told} {what}, among them the one with the lowest RMSE, {_told(best)}."
    return (
        f"{told} {what}, {_told(best)} with the lowest RMSE; "
        f"{_told(lowest)} has a lower one and breaks it."
    )


def _front_table(trials: Sequence[TrialRecord], limit: float | None) -> Table:
    """Return the table with one row per trial of the Pareto front.

    trials: complete trials with both values. limit: the largest tree residual that is allowed, or
    None; with a limit the table has a column that says whether each trial keeps the limit.
    """
    columns = [
        Column("trial"),
        Column("architecture"),
        Column("val RMSE", "number", 4, "over all N x 37 values, at the best epoch"),
        Column("tree residual", "number", 4, "mean over questions, at the best epoch"),
    ]
    front = pareto_front(trials)
    rows: list[list[Cell]] = [[r.id, r.architecture, *_values(r)] for r in front]
    if limit is not None:
        columns.append(Column("limit", help=f"whether the residual is at most {limit:g}"))
        for row, record in zip(rows, front):
            row.append("kept" if _values(record)[1] <= limit else "broken")
    return Table(
        title="The Pareto front",
        caption="Lowest RMSE first, lowest residual last. Marked: a published config.",
        columns=columns,
        rows=rows,
        marked={place for place, record in enumerate(front) if record.published},
    )
