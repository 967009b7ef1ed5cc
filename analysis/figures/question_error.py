"""Figure of the RMSE by question of one or more networks, with two reference values."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes  # noqa: TID251  this module draws
from matplotlib.figure import Figure  # noqa: TID251
from numpy.typing import NDArray

from analysis.figures.style import (
    WIDTH,
    add_legend,
    architecture_colours,
    architecture_markers,
    in_style,
    new_figure,
    tidy,
)
from analysis.records import HeldOut
from analysis.statistics import ASSUMED_VOTES, noise_floor, rmse_interval
from trainables.decision_tree import NUM_ANSWERS, QUESTIONS, SLICES
from trainables.training import rmse

_ROWS = [("all 37 answers", slice(0, NUM_ANSWERS))] + [
    (f"{question.number}  {question.name}", answers)
    for question, answers in zip(QUESTIONS, SLICES)
]


@in_style
def question_error_figure(
    held_outs: Sequence[HeldOut], num_votes: NDArray[np.integer] | None = None
) -> Figure:
    """Return a figure of the RMSE by question, with one mark per network.

    held_outs: predictions of each network, at least one, all for the same N galaxies; otherwise
    ValueError is raised. num_votes: number of volunteers of each galaxy, [N]; None for 44 each.

    The first row is all 37 answers together, and each other row is one question. The lines are
    95 % bootstrap intervals over galaxies. The reference values are the RMSE of the galaxies' mean
    vector, and the noise floor of volunteers who vote independently.
    """
    if not held_outs:
        raise ValueError("no network to show the errors of")
    first = held_outs[0]
    for other in held_outs[1:]:
        if not np.array_equal(other.ids, first.ids):
            raise ValueError(f"{other.label} and {first.label} are not of the same galaxies")
    figure = new_figure(WIDTH, 1.4 + len(_ROWS) * max(0.3, 0.1 * (len(held_outs) + 1)))
    axes = figure.add_subplot()
    _draw_networks(axes, held_outs)
    floor = f"noise floor of {ASSUMED_VOTES if num_votes is None else 'the'} votes a galaxy"
    _draw_bounds(axes, first.voted, num_votes, floor)
    axes.set_yticks(range(len(_ROWS)), [name for name, _ in _ROWS])
    axes.set_ylim(len(_ROWS) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.axhline(0.5, color="black", lw=0.6)
    axes.set_xlim(left=0)
    tidy(axes, grid="x")
    axes.set_xlabel(
        f"RMSE of vote fractions on {len(first):,} held-out galaxies (lines: 95 % intervals)"
    )
    add_legend(figure)
    return figure


def _draw_networks(axes: Axes, held_outs: Sequence[HeldOut]) -> None:
    """Draw the RMSE and interval of each network in each row; labels of networks must differ."""
    labels = [held_out.label for held_out in held_outs]
    colours, markers = architecture_colours(labels), architecture_markers(labels)
    offsets = (np.arange(len(labels)) - (len(labels) - 1) / 2) * 0.66 / max(3, len(labels))
    for held_out, offset in zip(held_outs, offsets):
        voted, predicted = held_out.voted, held_out.predicted
        values = np.array([rmse(predicted[:, s], voted[:, s]) for _, s in _ROWS])
        ends = np.array([rmse_interval(predicted[:, s], voted[:, s]) for _, s in _ROWS]).T
        axes.errorbar(
            values,
            np.arange(len(_ROWS)) + offset,
            # the interval may not contain the RMSE if few galaxies cause the whole error
            xerr=np.maximum(0, [values - ends[0], ends[1] - values]),
            fmt=markers[held_out.label],
            color=colours[held_out.label],
            markerfacecolor="white",
            markersize=4.5,
            elinewidth=1.0,
            label=held_out.label,
        )


def _draw_bounds(
    axes: Axes,
    voted: NDArray[np.float32],
    num_votes: NDArray[np.integer] | None,
    floor_label: str,
) -> None:
    """Draw the noise floor and the RMSE of the mean vector in each row.

    voted: vote fractions [N, 37]. num_votes: number of volunteers of each galaxy, [N]; None for 44
    each. floor_label: text of the legend for the noise floor.
    """
    mean = np.broadcast_to(voted.mean(axis=0, dtype=np.float64), voted.shape)
    means = [rmse(mean[:, s], voted[:, s]) for _, s in _ROWS]
    floors = [noise_floor(voted[:, s], num_votes) for _, s in _ROWS]
    for row, (low, high) in enumerate(zip(floors, means)):
        axes.plot([low, high], [row, row], color="0.85", lw=5, zorder=1, solid_capstyle="butt")
    rows = range(len(_ROWS))
    axes.plot(floors, rows, "|", color="black", ms=13, mew=1.6, label=floor_label)
    axes.plot(
        means, rows, "x", color="black", ms=5, mew=1.2, label="mean vector of these galaxies"
    )
