"""Eleven coefficients drawn: each question's effect on RMSE, and the trials behind it."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure  # noqa: TID251  a module that draws

from analysis.coefficient_effects import CoefficientEffect, logarithms
from analysis.figures.style import COLOURS, NORMAL, WIDTH, in_style, new_figure, tidy
from analysis.trial_record import TrialRecord
from trainables.decision_tree import QUESTIONS

_LOOKS = {
    "helps": (COLOURS["blue"], "v", "full"),
    "harms": (COLOURS["vermilion"], "^", "full"),
    "undecided": ("0.35", "o", "none"),
}


@in_style
def effects_figure(effects: Sequence[CoefficientEffect]) -> Figure:
    """Change of RMSE for ten times the coefficient, a row a question, intervals over trials."""
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
    """Validation RMSE of every trial against each question's coefficient."""
    figure = new_figure(WIDTH, 5.2)
    panels = figure.subplots(3, 4, sharex=True, sharey=True).ravel()
    values = 10 ** logarithms(records)
    rmse = np.array([r.val_rmse for r in records], dtype=np.float64)
    for axes, question, column in zip(panels, QUESTIONS, values.T):
        axes.semilogx(column, rmse, "o", color=COLOURS["blue"], markersize=2.5, alpha=0.7)
        axes.set_title(f"{question.number}  {question.name}", loc="left")
        tidy(axes, grid="y")
    panels[-1].set_visible(False)
    panels[-5].tick_params(labelbottom=True)  # the lowest of its column
    figure.supxlabel("constraint coefficient of the question", fontsize=NORMAL)
    figure.supylabel("validation RMSE", fontsize=NORMAL)
    return figure
