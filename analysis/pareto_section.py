"""The report's section on two goals: RMSE against tree residual, and what a limit leaves."""

from collections.abc import Sequence
from pathlib import Path

from analysis.figures.pareto import pareto_figure
from analysis.leaderboard import both_objectives, pareto_front, published_trial
from analysis.report_figure import picture
from analysis.report_page import Cell, Column, Section, Table
from analysis.study_results import StudyResults
from analysis.trial_record import TrialRecord

_NOTE = (
    "Each trial was trained once, and both numbers are of validation galaxies at its best epoch: "
    "trials that stand close together may change places with another seed."
)


def pareto_section(results: StudyResults, folder: Path) -> tuple[Section, list[str]] | None:
    """The section and its sentences; None where RMSE alone counts or no trial is complete.

    The tree residual counts where a study has it as its second objective, or has a limit on it.
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
    values = both_objectives(record)
    assert values is not None  # trials without were left out
    return values


def _told(record: TrialRecord) -> str:
    rmse, residual = _values(record)
    return f"trial {record.id} (RMSE {rmse:.4f}, residual {residual:.4f})"


def _front_sentence(trials: Sequence[TrialRecord]) -> str:
    """What the trials of the front trade of one for the other."""
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
    """Whether the best published config is on the front; [] where there is none."""
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
    """How many trials keep the limit, and what the best of them gives up for it."""
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
