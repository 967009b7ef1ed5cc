"""Figure of the RMSE by epoch of every trial, with one panel per architecture."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes  # noqa: TID251  this module draws
from matplotlib.figure import Figure  # noqa: TID251
from matplotlib.ticker import MaxNLocator  # noqa: TID251

from analysis.figures.style import (
    WIDTH,
    add_legend,
    architecture_colours,
    elided,
    in_style,
    new_figure,
    tidy,
)
from analysis.records import Curves, TrialRecord, published_trial, ranked
from search_spaces.declaration import InvalidInput
from trainables.training import Curve

_COLUMNS = 3
_SHOWN_SHARE = 0.95  # share of points below the top; a trial that diverges may leave the panel


@in_style
def learning_curves_figure(records: Sequence[TrialRecord], curves: Curves) -> Figure:
    """Return a figure of validation RMSE by epoch, one line per trial, one panel per architecture.

    records: finished trials. curves: the reported epochs of each trial, by trial id. Trials
    without a reported epoch are left out. InvalidInput is raised if no trial has a reported epoch.

    The best complete trial of each architecture has a bold line, and a dashed line for its
    training RMSE. The architecture's best complete trial with a published config has a dotted line
    with a mark at its best epoch. A pruned trial has a mark at its last epoch. The highest 5 % of
    the values, and training curves of architectures other than the best, may leave the panel.
    """
    drawn = [record for record in ranked(records) if curves.get(record.id)]
    if not drawn:
        raise InvalidInput("no trial has reported an epoch yet, so there is no learning curve")
    names = sorted({record.architecture for record in drawn})
    columns = min(_COLUMNS, len(names))
    rows = -(-len(names) // columns)
    figure = new_figure(WIDTH if columns > 1 else 4.8, 0.6 + 2.2 * rows)
    panels = figure.subplots(rows, columns, sharey=True, squeeze=False).ravel()
    for panel, name in zip(panels, names):
        here = [record for record in drawn if record.architecture == name]
        _draw_panel(panel, here, curves, architecture_colours(names)[name])
        panel.set_title(f"{elided(name, 22)} ({len(here)} trial{'s' * (len(here) > 1)})")
    for panel in panels[len(names) :]:
        panel.remove()
    panels[0].set_ylim(*_limits(drawn, curves))
    for place, panel in enumerate(panels[: len(names)]):
        if place % columns == 0:
            panel.set_ylabel("RMSE of vote fractions")
    _explain(figure, drawn)
    return figure


def _values(curve: Curve, name: str) -> tuple[list[int], list[float]]:
    """Return the epochs of a curve, and the values of one field of its reports.

    name: name of the field of EpochReport, for example "val_rmse".
    """
    return [report.epoch for report in curve], [getattr(report, name) for report in curve]


def _draw_panel(axes: Axes, records: Sequence[TrialRecord], curves: Curves, colour: str) -> None:
    """Draw the trials of one architecture.

    records: the trials in order of merit, at least one, each with a curve. curves: the reported
    epochs of each trial, by trial id. colour: the architecture's colour.
    """
    published = published_trial(records)
    for record in records:
        epochs, values = _values(curves[record.id], "val_rmse")
        axes.plot(epochs, values, color=colour, lw=0.6, alpha=0.45)
        if record.status == "pruned":
            axes.plot(epochs[-1], values[-1], "o", ms=3, mfc="white", mec=colour, mew=0.6)
    if records[0].status == "complete":
        best = curves[records[0].id]
        axes.plot(*_values(best, "val_rmse"), color=colour, lw=2.0)
        axes.plot(*_values(best, "train_rmse"), color=colour, lw=1.4, ls="--")
    if published is not None:
        epochs, values = _values(curves[published.id], "val_rmse")
        axes.plot(epochs, values, color="black", lw=1.0, ls=":")
        place = epochs.index(published.best_epoch) if published.best_epoch in epochs else -1
        axes.plot(epochs[place], values[place], "D", ms=5, mfc="white", mec="black", mew=1.0)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.set_xlabel("Epoch")
    tidy(axes, grid="y")


def _limits(records: Sequence[TrialRecord], curves: Curves) -> tuple[float, float]:
    """Return the lower and upper end of the RMSE axis.

    records: trials with a curve, in order of merit, at least one. The axis is made for the
    validation RMSEs of all trials and the training RMSEs of each architecture's best complete
    trial, except that the 5 % highest values may be above the axis.
    """
    values = [v for r in records for v in _values(curves[r.id], "val_rmse")[1]]
    complete = [r for r in reversed(records) if r.status == "complete"]
    best = {r.architecture: r for r in complete}.values()
    values += [v for r in best for v in _values(curves[r.id], "train_rmse")[1]]
    low, high = min(values), float(np.quantile(values, _SHOWN_SHARE))
    margin = 0.06 * max(high - low, 0.01)
    return low - margin, high + margin


def _explain(figure: Figure, records: Sequence[TrialRecord]) -> None:
    """Add a legend of the kinds of lines and marks that the drawn trials (`records`) have."""
    axes = figure.axes[0]
    style: dict[str, Any]
    axes.plot([], [], color="0.3", lw=0.6, label="a trial, validation")
    if any(record.status == "pruned" for record in records):
        style = {"color": "0.3", "lw": 0.6, "marker": "o", "ms": 3, "mfc": "white"}
        axes.plot([], [], **style, label="stopped early")
    if any(record.status == "complete" for record in records):
        axes.plot([], [], color="0.3", lw=2.0, label="best trial, validation")
        axes.plot([], [], color="0.3", lw=1.4, ls="--", label="best trial, training")
    if published_trial(records) is not None:
        style = {"color": "black", "lw": 1.0, "ls": ":", "marker": "D", "mfc": "white"}
        axes.plot([], [], **style, ms=5, label="published config, its best epoch")
    add_legend(figure)
