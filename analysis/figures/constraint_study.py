"""The constraints study drawn: RMSE and tree residual by coefficient, and the learning curves."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes  # noqa: TID251  a module that draws
from matplotlib.figure import Figure  # noqa: TID251
from matplotlib.ticker import MaxNLocator  # noqa: TID251
from numpy.typing import NDArray

from analysis.constraint_study import TREE_NAMES, CoefficientResult
from analysis.figures.style import COLOURS, NORMAL, WIDTH, in_style, new_figure, tidy

_LOOKS = {"true": (COLOURS["blue"], "o", -0.08), "as_published": (COLOURS["vermilion"], "s", 0.08)}
_COLUMNS = 4  # of the small multiples
_RESIDUAL = "mean tree residual (by the true tree)"


@in_style
def coefficient_figure(results: Sequence[CoefficientResult], table: pd.DataFrame) -> Figure:
    """RMSE and mean tree residual against the coefficient, one mark a tree, 95 % over seeds."""
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
    colour, marker, shift = _LOOKS[trials["tree"].iloc[0]]
    complete = trials[trials["status"] == "complete"]
    x = [places[c] + 2.2 * shift for c in complete["coefficient"]]
    axes.plot(
        x, complete[column], marker, color=colour, markersize=2.5, mfc="none", mew=0.6, ls="none"
    )


@in_style
def coefficient_curves_figure(
    table: pd.DataFrame, curves: Mapping[str, Sequence[Mapping[str, Any]]]
) -> Figure:
    """Validation RMSE by epoch, a panel a coefficient, a line a seed (the report's figure 7)."""
    coefficients = sorted(table["coefficient"].unique())
    num_rows = -(-len(coefficients) // _COLUMNS)
    figure = new_figure(WIDTH, 0.6 + 1.75 * num_rows)
    panels = figure.subplots(num_rows, _COLUMNS, sharex=True, sharey=True, squeeze=False).ravel()
    for axes, coefficient in zip(panels, coefficients):
        for row in table[table["coefficient"] == coefficient].itertuples():
            curve = curves.get(row.trial, ())
            colour, marker, _ = _LOOKS[row.tree]
            epochs = [report["epoch"] for report in curve]
            axes.plot(
                epochs,
                [report["val_rmse"] for report in curve],
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
    """Name the epochs below the lowest panel of each column; empty panels vanish."""
    for place, axes in enumerate(panels):
        axes.set_visible(place < num_used)
        if place + _COLUMNS >= num_used:
            axes.set_xlabel("epoch")
            axes.tick_params(labelbottom=True)


def _one_label_each(figure: Figure) -> None:
    handles: dict[str, Any] = {}
    for axes in figure.axes:
        handles |= dict(zip(*reversed(axes.get_legend_handles_labels())))
    figure.legend(
        handles.values(), handles.keys(), loc="outside lower center", ncols=2, frameon=False
    )
