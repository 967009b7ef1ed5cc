"""Figure of predicted against voted fractions, with the calibration error."""

import numpy as np
from matplotlib import colormaps  # noqa: TID251  this module draws
from matplotlib.axes import Axes  # noqa: TID251
from matplotlib.colors import ListedColormap, LogNorm  # noqa: TID251
from matplotlib.figure import Figure  # noqa: TID251
from numpy.typing import NDArray

from analysis.figures.style import COLOURS, SMALL, WIDTH, add_legend, in_style, new_figure, tidy
from analysis.records import HeldOut
from analysis.statistics import Calibration, calibration_of, question_calibrations
from trainables.decision_tree import NUM_ANSWERS, QUESTIONS, SLICES

_FEWEST = 10  # the interval of a bin with fewer values is not drawn
_ROWS, _COLUMNS = 3, 4  # panels: all questions together, then each of the eleven
_CELLS = np.linspace(0, 1, 41)  # edges of the cells of the grey map
_GREYS = ListedColormap(colormaps["Greys"](np.linspace(0.12, 0.9, 256)))


@in_style
def calibration_figure(held_out: HeldOut) -> Figure:
    """Return a figure with twelve panels of voted against predicted fraction.

    held_out: galaxies with the votes and predictions of one network; predictions are cut to 0..1.
    The first panel shows all 37 answers, and the other panels show one question each. The grey map
    is the number of values per cell. Each circle is the mean vote in a bin, at the bin's mean
    prediction, with the 95 % interval of the mean vote; a bin with fewer than 10 values has a
    cross without an interval. The number in each panel is the error of `calibration_of`.
    """
    predicted = np.clip(held_out.predicted, 0, 1)
    panels = [
        (calibration_of(predicted, held_out.voted), slice(0, NUM_ANSWERS)),
        *zip(question_calibrations(predicted, held_out.voted), SLICES),
    ]
    figure = new_figure(WIDTH, 6.0)
    axes = figure.subplots(_ROWS, _COLUMNS, sharex=True, sharey=True)
    norm = LogNorm(1, _most(predicted, held_out.voted))
    for panel, (result, answers) in zip(axes.ravel(), panels):
        mesh = panel.pcolormesh(
            _CELLS, _CELLS, _density(predicted[:, answers], held_out.voted[:, answers]),
            cmap=_GREYS, norm=norm, rasterized=True,
        )  # fmt: skip
        _draw_means(panel, result)
    for number, panel in enumerate(axes.ravel()):
        name = "All 37 answers" if number == 0 else f"{number}  {QUESTIONS[number - 1].name}"
        panel.set_title(name, loc="left", fontweight="bold" if number == 0 else "normal")
    for panel in axes[-1]:
        panel.set_xlabel("Predicted fraction")
    for panel in axes[:, 0]:
        panel.set_ylabel("Voted fraction")
    bar = figure.colorbar(mesh, ax=axes, fraction=0.02, pad=0.01, aspect=40)
    bar.set_label("Values in a cell (one a galaxy and answer)")
    figure.suptitle(f"{held_out.label}: {len(held_out):,} held-out galaxies")
    add_legend(figure)
    return figure


def _density(predicted: NDArray[np.floating], voted: NDArray[np.floating]) -> np.ma.MaskedArray:
    """Return the number of values in each cell, [40, 40], voted (row) by predicted (column).

    predicted, voted: fractions of the same shape; a prediction outside 0..1 is not counted. Empty
    cells are masked, so that empty cells are white.
    """
    counts = np.histogram2d(np.clip(voted, 0, 1).ravel(), predicted.ravel(), bins=_CELLS)[0]
    return np.ma.masked_equal(counts, 0)


def _most(predicted: NDArray[np.floating], voted: NDArray[np.floating]) -> float:
    """Return the largest number of values in a cell, at least 10, as the top of the grey scale.

    predicted, voted: fractions of the same shape, with at least one value.
    """
    return max(10.0, float(_density(predicted, voted).max()))


def _draw_means(axes: Axes, result: Calibration) -> None:
    """Draw the diagonal, the mean votes with intervals, and the error of one panel.

    Only the first panel of the figure gets labels for the legend.
    """
    first = axes.get_subplotspec()
    named = first is not None and first.num1 == 0  # only this panel has labels
    axes.plot([0, 1], [0, 1], color="black", lw=0.8, ls="--", label="equal" if named else None)
    enough = result.counts >= _FEWEST
    values, votes = result.predicted[enough], result.voted[enough]
    axes.errorbar(
        values,
        votes,
        yerr=[votes - result.low[enough], result.high[enough] - votes],
        fmt="o",
        color=COLOURS["vermilion"],
        markerfacecolor="white",
        markersize=4,
        lw=1.2,
        label="mean vote in a bin, 95 % interval" if named else None,
    )
    few = f"mean vote of fewer than {_FEWEST} values" if named else None
    values, votes = result.predicted[~enough], result.voted[~enough]
    axes.plot(values, votes, "x", color=COLOURS["vermilion"], ms=4, mew=0.8, label=few)
    axes.text(
        0.04, 0.96, f"error {result.error:.3f}", transform=axes.transAxes, va="top",
        fontsize=SMALL, bbox={"facecolor": "white", "edgecolor": "none", "pad": 1, "alpha": 0.8},
    )  # fmt: skip
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_aspect("equal")
    axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes.set_yticks([0, 0.5, 1], ["0", "0.5", "1"])
    tidy(axes)
