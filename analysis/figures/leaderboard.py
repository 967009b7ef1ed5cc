"""Figure of the leaderboard: one mark per trial, with published configs in rings."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes  # noqa: TID251  this module draws
from matplotlib.figure import Figure  # noqa: TID251

from analysis.figures.style import (
    WIDTH,
    add_legend,
    architecture_colours,
    architecture_markers,
    elided,
    in_style,
    legend_columns,
    new_figure,
    save_figure,
    tidy,
)
from analysis.records import TrialRecord, ranked
from search_spaces.declaration import InvalidInput

_MOST_ROWS = 40
_STOPPED = "stopped early (hollow)"


@in_style
def leaderboard_figure(study: str, records: Sequence[TrialRecord]) -> Figure:
    """Return a figure of the validation RMSE of the best 40 trials, the best trial at the top.

    study: name of the study, for the title. records: finished trials of the study, in any order;
    trials without an RMSE are left out. The order of the rows is that of `ranked`, so complete
    trials are above all others. A hollow mark is a trial that is not complete. A ring and a dotted
    vertical line mark a published config. InvalidInput is raised if no trial has an RMSE.
    """
    measured = [r for r in ranked(records) if r.val_rmse is not None]
    if not measured:
        raise InvalidInput("no ended trial has reported an epoch, so there is nothing to draw")
    shown = measured[:_MOST_ROWS]
    names = sorted({record.architecture for record in records})
    columns = legend_columns([*names, _STOPPED], WIDTH)
    legend_rows = -(-(len(names) + 2) // columns)
    height = 1.0 + 0.16 * legend_rows + 0.18 * max(4, len(shown))
    figure = new_figure(WIDTH, height)
    axes = figure.add_subplot()
    _draw_trials(axes, shown, names)
    axes.set_yticks(range(len(shown)), [_row_label(r) for r in shown])
    axes.set_ylim(max(4, len(shown)) - 0.4, -0.6)
    tidy(axes, grid="both")
    axes.set_xlabel("Validation RMSE at the best epoch (lower is better)")
    part = f"best {len(shown)} of {len(measured)} trials" if len(measured) > len(shown) else ""
    figure.suptitle(f"Leaderboard of {study}" + (f": {part}" if part else ""), wrap=True)
    _explain(figure, names, records)
    return figure


def _row_label(record: TrialRecord) -> str:
    """Return a trial's architecture, best epoch and id as a text."""
    return f"{elided(record.architecture)}, epoch {record.best_epoch}  {record.id}"


def _draw_trials(axes: Axes, shown: Sequence[TrialRecord], names: Sequence[str]) -> None:
    """Draw the mark of each trial.

    shown: the trials from top to bottom, each with an RMSE; AssertionError is raised for a trial
    without an RMSE. names: all architectures, which decide colours and markers.
    """
    colours, markers = architecture_colours(names), architecture_markers(names)
    for row, record in enumerate(shown):
        assert record.val_rmse is not None  # the caller leaves out trials without an RMSE
        colour = colours[record.architecture]
        axes.plot(
            record.val_rmse,
            row,
            marker=markers[record.architecture],
            markersize=5.5,
            markerfacecolor=colour if record.status == "complete" else "white",
            markeredgecolor=colour,
            linestyle="none",
        )
        if record.published:
            axes.plot(record.val_rmse, row, "o", ms=10, mfc="none", mec="black", mew=0.8)
            axes.axvline(record.val_rmse, color=colour, lw=0.9, ls=":", zorder=0)


def _explain(figure: Figure, names: Sequence[str], records: Sequence[TrialRecord]) -> None:
    """Add a legend of architectures, published configs and pruned trials.

    names: all architectures. records: all trials of the study; a kind of mark that no trial has is
    left out of the legend.
    """
    axes = figure.axes[0]
    colours, markers = architecture_colours(names), architecture_markers(names)
    for name in names:
        axes.plot([], [], markers[name], color=colours[name], markersize=5.5, label=name)
    if any(record.published for record in records):
        axes.plot([], [], "o", ms=9, mfc="none", mec="black", mew=0.8, label="published config")
    if any(record.status == "pruned" for record in records):
        axes.plot([], [], "o", mfc="white", mec="0.3", ms=5.5, label=_STOPPED)
    add_legend(figure)


def save_leaderboard_figure(study: str, records: Sequence[TrialRecord], folder: Path) -> Path:
    """Write leaderboard.png and leaderboard.pdf to `folder`; return the path of the PNG.

    study: name of the study. records: finished trials of the study. folder: the output folder,
    which is made if it does not exist. InvalidInput is raised if no trial has an RMSE, OSError if
    a file cannot be written.
    """
    return save_figure(leaderboard_figure(study, records), folder, "leaderboard")
