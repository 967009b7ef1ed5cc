"""Figure of two objectives: validation RMSE against tree residual, with the Pareto front."""

import math
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

import numpy as np
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
    tidy,
)
from analysis.records import TrialRecord, both_objectives, pareto_front
from search_spaces.declaration import InvalidInput

Point = tuple[float, float]  # RMSE, tree residual
Points = Mapping[str, Point]  # the values of each trial, by trial id
_PANEL = (WIDTH - 0.7, 3.2)  # inches; approximate width and height without the axes' labels
_ROW = 0.16  # inches; the height of a row of the legend
_FRONT = "Pareto front, with trial ids"
_MOST_OTHERS = 5  # entries of the legend that are not architectures
_LETTER, _LINE = 0.06, 0.13  # inches: width of a letter, least distance of two labels
_EDGE = 0.04  # share of the panel at the right and at the top, which holds only arrows
# The keys are: whether a trial is right of the axes, and whether it is above the axes.
_ARROWS = {
    (True, False): r"$\rightarrow$",
    (False, True): r"$\uparrow$",
    (True, True): r"$\nearrow$",
}


@in_style
def pareto_figure(
    records: Sequence[TrialRecord], *, max_tree_residual: float | None = None
) -> Figure:
    """Return a figure of validation RMSE against tree residual, one mark per complete trial.

    records: finished trials. InvalidInput is raised if no complete trial has a tree residual.
    max_tree_residual: the limit on the tree residual; None for no limit. The area above the limit
    is hatched.

    A line joins the trials of the Pareto front. Trials of the front have their ids as labels,
    unless a label would touch another label. Published configs have a ring. An arrow at the edge
    stands for a trial beyond the edge, in the direction of the arrow.
    """
    points = {record.id: both for record in records if (both := both_objectives(record))}
    if not points:
        raise InvalidInput("no trial is complete yet, so none can be drawn by its two objectives")
    trials = [record for record in records if record.id in points]
    front = {record.id: points[record.id] for record in pareto_front(trials)}
    names = sorted({record.architecture for record in records})
    num_rows = -(-(len(names) + _MOST_OTHERS) // legend_columns([*names, _FRONT], WIDTH))
    figure = new_figure(WIDTH, _PANEL[1] + 0.8 + _ROW * num_rows)
    axes = figure.add_subplot()
    _set_frame(axes, points, front, max_tree_residual)
    _draw_trials(axes, trials, names, points, front)
    _draw_front(axes, front)
    if max_tree_residual is not None:
        _draw_limit(axes, max_tree_residual)
    axes.set_xlabel("Validation RMSE at the best epoch (lower is better)")
    axes.set_ylabel("Tree residual at the best epoch (lower is better)")
    plural = "s" * (len(points) > 1)
    figure.suptitle(f"{len(points)} complete trial{plural}, {len(front)} on the Pareto front")
    tidy(axes, grid="both")
    add_legend(figure)
    return figure


def _highest(values: Sequence[float], front: Sequence[float]) -> float:
    """Return the highest value that one axis shows.

    values: values of all trials. front: values of the trials on the front, which are always shown.
    Any other value is beyond the axis if its distance above the median is more than three times
    the distance from the lowest value to the median.
    """
    middle = median(values)
    reach = middle + 3 * (middle - min(values))
    return max(min(max(values), reach), *front)


def _set_frame(axes: Axes, points: Points, front: Points, limit: float | None) -> None:
    """Set the limits of both axes, so that the front and most trials are inside; fix the y ticks.

    The x axis shows the RMSE, the y axis the tree residual. Later changes of the limits do not
    move the y ticks, all of which are at 0 or above and not above the upper limit of the y axis.

    points, front: RMSE and tree residual of all trials, and of the trials on the front, by trial
    id, at least one each. limit: the limit on the tree residual; None for no limit. The limit is
    inside too if its distance from the shown residuals is at most the range of the shown
    residuals. Space for labels is left at the lower left, because no trial is both below and left
    of a trial of the front.
    """
    lows = [min(values) for values in zip(*points.values())]
    highs = [_highest(*both) for both in zip(zip(*points.values()), zip(*front.values()))]
    span = highs[1] - lows[1]
    if limit is not None and lows[1] - span <= limit <= highs[1] + span:
        lows[1], highs[1] = min(lows[1], limit), max(highs[1], limit)
    room = 0.15 + _LETTER * max(len(elided(name)) for name in front) / math.sqrt(2)
    limits = []
    for low, high, inches in zip(lows, highs, _PANEL):
        span = (high - low or 0.1 * high or 1.0) / (1 - _EDGE - room / inches)
        limits.append((low - span * room / inches, high + span * _EDGE))
    axes.set(xlim=limits[0], ylim=limits[1])
    axes.set_yticks([tick for tick in axes.get_yticks() if 0 <= tick <= limits[1][1]])


def _draw_limit(axes: Axes, limit: float) -> None:
    """Draw the limit on the tree residual and hatch the area above, as far as the axes show both.

    The legend says so if the limit is outside the axes.
    """
    low, high = axes.get_ylim()
    beyond = ", above the frame" if limit > high else ", below the frame" if limit < low else ""
    look: dict[str, Any] = {"color": "black", "lw": 1.0, "ls": "--"}
    axes.plot([], [], **look, label=f"limit of {limit:g}{beyond}")
    if not beyond:
        axes.axhline(limit, **look, zorder=1)
    if limit < high:
        look = {"facecolor": "0.96", "edgecolor": "0.88", "hatch": "////", "lw": 0}
        axes.axhspan(max(limit, low), high, **look, zorder=0, label="breaks the limit")


def _draw_front(axes: Axes, front: Points) -> None:
    """Draw the border of the area that the front beats, and the labels that have enough space.

    front: RMSE and tree residual of the trials on the front by trial id, the lowest RMSE first.
    """
    right, top = axes.get_xlim()[1], axes.get_ylim()[1]
    x, y = zip(*front.values())
    axes.plot(
        [x[0], *x, right],
        [top, *y, y[-1]],
        drawstyle="steps-post",
        color="0.25",
        lw=1.2,
        zorder=2,
        label=_FRONT,
    )
    for name in _apart(axes, front):
        axes.annotate(
            elided(name),
            front[name],
            xytext=(-5, -5),
            textcoords="offset points",
            ha="right",
            va="center",
            rotation=45,
            rotation_mode="anchor",
            zorder=5,
        )


def _apart(axes: Axes, front: Points) -> list[str]:
    """Return the ids of the trials of the front whose slanting labels do not touch.

    front: RMSE and tree residual of the trials on the front by trial id, the lowest RMSE first.
    The trial with the lowest RMSE has priority, then the other trials by rising residual.
    """
    inches = axes.transLimits.transform(list(front.values())) * _PANEL
    across = dict(zip(front, inches @ np.array([1, -1]) / math.sqrt(2)))
    chosen: list[str] = []
    for name in (*list(front)[:1], *list(front)[:0:-1]):
        if all(abs(across[name] - across[other]) >= _LINE for other in chosen):
            chosen.append(name)
    return chosen


def _draw_trials(
    axes: Axes,
    trials: Sequence[TrialRecord],
    names: Sequence[str],
    points: Points,
    front: Points,
) -> None:
    """Draw one mark per trial, larger for trials of the front, and label the kinds of marks.

    A trial beyond the limits of the axes has an arrow at the edge, and the legend counts these
    trials. trials: trials with both values. names: all architectures, which decide colours and
    markers. points, front: RMSE and tree residual of all trials, and of the trials on the front,
    by trial id.
    """
    colours, markers = architecture_colours(names), architecture_markers(names)
    for name in sorted({record.architecture for record in trials}):
        axes.plot([], [], markers[name], color=colours[name], ms=5.5, label=name)
    edges = np.array([axes.get_xlim()[1], axes.get_ylim()[1]])
    inside = axes.transLimits.inverted().transform((1 - _EDGE / 2, 1 - _EDGE / 2))
    num_beyond = 0
    for record in trials:
        point = np.array(points[record.id])
        right, above = (bool(one) for one in point > edges)
        num_beyond += right or above
        x, y = np.minimum(point, inside) if right or above else point
        marker = _ARROWS.get((right, above), markers[record.architecture])
        on_front = record.id in front
        style = {"ms": 6.5, "mec": "black", "mew": 0.6} if on_front else {"ms": 4.5, "alpha": 0.6}
        colour = colours[record.architecture]
        axes.plot(x, y, marker=marker, color=colour, ls="none", zorder=3 + on_front, **style)
        if record.published:
            axes.plot(x, y, "o", ms=10, mfc="none", mec="black", mew=0.8, zorder=5, clip_on=False)
    if any(record.published for record in trials):
        axes.plot([], [], "o", ms=9, mfc="none", mec="black", mew=0.8, label="published config")
    if num_beyond:
        text = f"beyond the frame: {num_beyond} trial{'s' * (num_beyond > 1)}"
        axes.plot([], [], marker=_ARROWS[True, True], color="0.3", ls="none", ms=6, label=text)
