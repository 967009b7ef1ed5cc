"""Figures of a study of eleven coefficients: the effect of each coefficient, and the trials."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure  # noqa: TID251  this module draws

from analysis.figures.style import COLOURS, NORMAL, WIDTH, in_style, new_figure, tidy
from analysis.records import TrialRecord
from analysis.statistics import CoefficientEffect, logarithms
from trainables.decision_tree import QUESTIONS

_LOOKS = {
    "helps": (COLOURS["blue"], "v", "full"),
    "harms": (COLOURS["vermilion"], "^", "full"),
    "undecided": ("0.35", "o", "none"),
}


@in_style
def effects_figure(effects: Sequence[CoefficientEffect]) -> Figure:
    """Return a figure of the effect of each question's coefficient on the validation RMSE.

    effects: the result of `effects_of_coefficients`, one row each, in the given order. An effect
    is the change of the validation RMSE when the coefficient becomes ten times as large. The lines
    are the bootstrap intervals; colour and marker show the verdict of each effect.
    """
    figure = new_figure(WIDTH, 3.4)
    axes = figure.add_subplot()
    for row, effect in enumerate(effects):
        colour, marker, fill = _LOOKS[effect.verdict]
        axes.plot([effect.low, effect.high], [row, row], color=colour, linewidth=1.2)
        axes.plot(effect.effect, row, marker, color=colour, fillstyle=fill, markersize=6)
    for verdict, (colour, marker, fill) in _LOOKS.items():
        axes.plot([], [], marker, color=colour, fillstyle=fill, label=verdict)
    axes.axvline(0, color="0.5", linewidth=0.8, linestyle=":")
    names = [f"{q.number}  {q.name}" for q in QUESTIONS]
    axes.set_yticks(range(len(effects)), [names[e.question - 1] for e in effects])
    axes.invert_yaxis()
    axes.set_xlabel("change of validation RMSE for ten times the question's coefficient")
    tidy(axes, grid="x")
    figure.legend(loc="outside lower center", ncols=3, frameon=False)
    return figure


@in_style
def coefficient_slices_figure(records: Sequence[TrialRecord]) -> Figure:
    """Return a figure with one panel per question: validation RMSE by the question's coefficient.

    records: complete trials with eleven positive coefficients, at least one. Each trial is one dot
    in each panel.
    """
    figure = new_figure(WIDTH, 5.2)
    panels = figure.subplots(3, 4, sharex=True, sharey=True).ravel()
    values = 10 ** logarithms(records)
    rmse = np.array([r.val_rmse for r in records], dtype=np.float64)
    for axes, question, column in zip(panels, QUESTIONS, values.T):
        axes.semilogx(column, rmse, "o", color=COLOURS["blue"], markersize=2.5, alpha=0.7)
        axes.set_title(f"{question.number}  {question.name}", loc="left")
        tidy(axes, grid="y")
    panels[-1].set_visible(False)
    panels[-5].tick_params(labelbottom=True)  # the lowest visible panel of its column
    figure.supxlabel("constraint coefficient of the question", fontsize=NORMAL)
    figure.supylabel("validation RMSE", fontsize=NORMAL)
    return figure
