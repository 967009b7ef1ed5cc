"""Figures of a study of one constraint coefficient: RMSE, tree residual, learning curves."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes  # noqa: TID251  this module draws
from matplotlib.figure import Figure  # noqa: TID251
from matplotlib.ticker import MaxNLocator  # noqa: TID251
from numpy.typing import NDArray

from analysis.figures.style import COLOURS, NORMAL, WIDTH, in_style, new_figure, tidy
from analysis.records import Curves
from analysis.statistics import TREE_NAMES, CoefficientResult

# Colour, marker, and shift along x so that the marks of the two trees do not overlap.
_LOOKS = {"true": (COLOURS["blue"], "o", -0.08), "as_published": (COLOURS["vermilion"], "s", 0.08)}
_COLUMNS = 4  # number of panels in a row of the learning curves
_RESIDUAL = "mean tree residual (by the true tree)"


@in_style
def coefficient_figure(results: Sequence[CoefficientResult], table: pd.DataFrame) -> Figure:
    """Return a figure of validation RMSE and mean tree residual by coefficient.

    results: results from `coefficient_results`, at least one, whose means have 95 % intervals and
    one colour per tree. table: the table from `trial_table` that gave the results; each complete
    trial has a small mark.
    """
    figure = new_figure(WIDTH, 3.1)
    places = {c: i for i, c in enumerate(sorted({r.coefficient for r in results}))}
    columns = (("rmse", "val_rmse", "validation RMSE"), ("residual", "tree_residual", _RESIDUAL))
    for axes, (name, column, label) in zip(figure.subplots(1, 2), columns):
        for tree in sorted({r.tree for r in results}, reverse=True):
            _draw_tree(axes, [r for r in results if r.tree == tree], name, places)
            _draw_seeds(axes, table[table["tree"] == tree], column, places)
        axes.set_xticks(list(places.values()), [f"{c:g}" for c in places])
        axes.set_xlabel("constraint coefficient (0 is no constraint)")
        axes.set_ylabel(label)
        axes.set_ylim(bottom=max(0.0, axes.get_ylim()[0]))
        tidy(axes, grid="y")
    _one_label_each(figure)
    return figure


def _draw_tree(
    axes: Axes, results: Sequence[CoefficientResult], name: str, places: Mapping[float, int]
) -> None:
    """Draw the means of one tree with intervals; a single seed has no interval.

    results: the results of this tree, at least one. name: "rmse" or "residual". places: x
    coordinate of each coefficient.
    """
    colour, marker, shift = _LOOKS[results[0].tree]
    x = np.array([places[r.coefficient] + shift for r in results])
    means = np.array([getattr(r, name) for r in results])
    intervals = [getattr(r, f"{name}_interval") or (m, m) for r, m in zip(results, means)]
    low, high = (np.array(side) for side in zip(*intervals))
    axes.errorbar(
        x,
        means,
        yerr=[means - low, high - means],
        color=colour,
        marker=marker,
        markersize=5,
        capsize=2.5,
        linewidth=1,
        label=f"{TREE_NAMES[results[0].tree]}: mean over seeds, 95 % interval",
    )


def _draw_seeds(
    axes: Axes, trials: pd.DataFrame, column: str, places: Mapping[float, int]
) -> None:
    """Draw a small mark for each complete trial of one tree.

    trials: the rows of this tree in the trial table, at least one. column: "val_rmse" or
    "tree_residual". places: x coordinate of each coefficient.
    """
    colour, marker, shift = _LOOKS[trials["tree"].iloc[0]]
    complete = trials[trials["status"] == "complete"]
    x = [places[c] + 2.2 * shift for c in complete["coefficient"]]
    axes.plot(
        x, complete[column], marker, color=colour, markersize=2.5, mfc="none", mew=0.6, ls="none"
    )


@in_style
def coefficient_curves_figure(table: pd.DataFrame, curves: Curves) -> Figure:
    """Return a figure of validation RMSE by epoch: one panel per coefficient, one line per trial.

    table: the table from `trial_table`, whose trials are drawn whatever their status. curves: the
    reported epochs of each trial, by trial id; a trial without an epoch has no line. Colour and
    line style show the tree. The figure corresponds to figure 7 of the student report.
    """
    coefficients = sorted(table["coefficient"].unique())
    num_rows = -(-len(coefficients) // _COLUMNS)
    figure = new_figure(WIDTH, 0.6 + 1.75 * num_rows)
    panels = figure.subplots(num_rows, _COLUMNS, sharex=True, sharey=True, squeeze=False).ravel()
    for axes, coefficient in zip(panels, coefficients):
        for row in table[table["coefficient"] == coefficient].itertuples():
            curve = curves.get(row.trial, ())
            colour, marker, _ = _LOOKS[row.tree]
            epochs = [report.epoch for report in curve]
            axes.plot(
                epochs,
                [report.val_rmse for report in curve],
                color=colour,
                linestyle="-" if row.tree == "true" else "--",
                marker=marker if len(epochs) < 5 else None,
                markersize=2.5,
                linewidth=0.8,
                label=f"{TREE_NAMES[row.tree]}, a line a seed",
            )
        axes.set_title(f"coefficient {coefficient:g}", loc="left")
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        tidy(axes, grid="y")
    _label_lowest(panels, len(coefficients))
    figure.supylabel("validation RMSE", fontsize=NORMAL)
    _one_label_each(figure)
    return figure


def _label_lowest(panels: NDArray[Any], num_used: int) -> None:
    """Label the epochs below the lowest panel of each column, and hide the panels without data.

    panels: all panels, row by row. num_used: number of panels with data.
    """
    for place, axes in enumerate(panels):
        axes.set_visible(place < num_used)
        if place + _COLUMNS >= num_used:
            axes.set_xlabel("epoch")
            axes.tick_params(labelbottom=True)


def _one_label_each(figure: Figure) -> None:
    """Add a legend below all panels with one entry for each label of any panel."""
    handles: dict[str, Any] = {}
    for axes in figure.axes:
        handles |= dict(zip(*reversed(axes.get_legend_handles_labels())))
    figure.legend(
        handles.values(), handles.keys(), loc="outside lower center", ncols=2, frameon=False
    )
