"""Predicted against voted fractions, and how far they agree on average."""

import numpy as np
from matplotlib import colormaps  # noqa: TID251  a module that draws
from matplotlib.axes import Axes  # noqa: TID251
from matplotlib.colors import ListedColormap, LogNorm  # noqa: TID251
from matplotlib.figure import Figure  # noqa: TID251
from numpy.typing import NDArray

from analysis.calibration import Calibration, calibration, question_calibrations
from analysis.figures.style import COLOURS, SMALL, WIDTH, add_legend, in_style, new_figure, tidy
from analysis.held_out import HeldOut
from trainables.decision_tree import NUM_ANSWERS, QUESTIONS, SLICES

_FEWEST = 10  # values that a bin needs for its interval to be drawn
_ROWS, _COLUMNS = 3, 4  # all questions together, then the eleven
_CELLS = np.linspace(0, 1, 41)  # of the density, a fortieth wide
_GREYS = ListedColormap(colormaps["Greys"](np.linspace(0.12, 0.9, 256)))


@in_style
def calibration_figure(held_out: HeldOut) -> Figure:
    """Twelve panels: density of all values, mean vote by predicted fraction, the error.

    Points stand at the mean prediction of their bin with 95 % intervals of the mean vote; the
    number in each panel is the calibration error as `analysis.calibration` defines it.
    """
    predicted = np.clip(held_out.predicted, 0, 1)
    panels = [
        (calibration(predicted, held_out.voted), slice(0, NUM_ANSWERS)),
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
    """Counts [40, 40], voted by predicted; empty cells masked, so that they stay white."""
    counts = np.histogram2d(np.clip(voted, 0, 1).ravel(), predicted.ravel(), bins=_CELLS)[0]
    return np.ma.masked_equal(counts, 0)


def _most(predicted: NDArray[np.floating], voted: NDArray[np.floating]) -> float:
    return max(10.0, float(_density(predicted, voted).max()))


def _draw_means(axes: Axes, result: Calibration) -> None:
    first = axes.get_subplotspec()
    named = first is not None and first.num1 == 0  # one legend for all panels
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
