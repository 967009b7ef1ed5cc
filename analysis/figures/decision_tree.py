"""Figure of the Galaxy Zoo 2 decision tree with one galaxy's votes and predictions."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes  # noqa: TID251  this module draws
from matplotlib.colors import to_rgb  # noqa: TID251
from matplotlib.figure import Figure  # noqa: TID251
from matplotlib.patches import PathPatch, Rectangle  # noqa: TID251
from matplotlib.path import Path as Curve  # noqa: TID251
from numpy.typing import NDArray

from analysis.figures.style import COLOURS, SMALL, WIDTH, in_style, new_figure, show_pixels
from trainables.decision_tree import COLUMNS, NUM_ANSWERS, QUESTIONS, SLICES, Question

# All lengths are in inches; y increases downwards from the top of the figure.
_HEIGHT = 6.2
_BOX, _HEAD, _ROW = 1.5, 0.21, 0.215
_LEFT = (0.08, 1.93, 3.78, 5.63)  # left ends of the four columns of boxes
_PLACES = {  # question -> column and top; chosen by hand so that no branches cross
    1: (0, 2.45), 6: (0, 4.55),
    7: (1, 0.45), 2: (1, 2.45), 8: (1, 4.27),
    9: (2, 0.80), 4: (2, 2.45), 3: (2, 3.75),
    10: (3, 0.45), 11: (3, 1.65), 5: (3, 3.55),
}  # fmt: skip
_PICTURE_TOP = 0.45
_WIDEST = 12.0  # points; the width of a branch that all volunteers took
_VOTED, _PREDICTED = COLOURS["blue"], COLOURS["vermilion"]


@in_style
def decision_tree_figure(
    image: NDArray[np.uint8],
    voted: NDArray[np.floating],
    predicted: NDArray[np.floating],
    title: str,
) -> Figure:
    """Return a figure of the decision tree with the image, votes and predictions of one galaxy.

    image: pixels [S, S, 3] uint8. voted, predicted: fractions [37] in 0..1 of all volunteers, as
    Kaggle defines the fractions (Willett et al. 2013, figure 1). ValueError is raised unless both
    have the shape [37]. title: title of the figure.

    Width and colour of a branch show the voted fraction of the answer that the branch begins at.
    """
    if voted.shape != (NUM_ANSWERS,) or predicted.shape != (NUM_ANSWERS,):
        raise ValueError(f"voted is {voted.shape}, predicted {predicted.shape}, not (37,) both")
    figure = new_figure(WIDTH, _HEIGHT)
    figure.set_layout_engine("none")  # all positions are set below
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, WIDTH)
    axes.set_ylim(_HEIGHT, 0)
    axes.axis("off")
    axes.text(_LEFT[0], 0.22, title, fontsize=9, va="center")
    for question, answers in zip(QUESTIONS, SLICES):
        _draw_branches(axes, question, voted)
        _draw_question(axes, question, voted[answers], predicted[answers])
    _draw_way_to_odd(axes)
    _draw_key(axes)
    corner = (_LEFT[0] / WIDTH, 1 - (_PICTURE_TOP + _BOX) / _HEIGHT)
    picture = figure.add_axes((*corner, _BOX / WIDTH, _BOX / _HEIGHT))
    show_pixels(picture, image)
    return figure


def _row_middle(column: str) -> tuple[float, float]:
    """Return the x of the right end and the y of the middle of an answer's row, in inches.

    column: Kaggle's name of the answer, for example "Class7.1".
    """
    number, answer = (int(part) for part in column.removeprefix("Class").split("."))
    place, top = _PLACES[number]
    return _LEFT[place] + _BOX, top + _HEAD + (answer - 0.5) * _ROW


def _draw_branches(axes: Axes, question: Question, voted: NDArray[np.floating]) -> None:
    """Draw the branches to a question, one from each answer after which the question is asked.

    voted: vote fractions [37], which are cut to 0..1.
    """
    place, top = _PLACES[question.number]
    ways = len(question.asked_after)
    for i, column in enumerate(question.asked_after):
        share = float(np.clip(voted[COLUMNS.index(column)], 0, 1))
        x, y = _row_middle(column)
        end_x, end_y = _LEFT[place], top + _HEAD * (0.5 if ways == 1 else 0.25 + 0.5 * i)
        bend = (x + end_x) / 2
        curve = Curve(
            [(x, y), (bend, y), (bend, end_y), (end_x, end_y)],
            [Curve.MOVETO, Curve.CURVE4, Curve.CURVE4, Curve.CURVE4],
        )
        colour = tuple(1 - (0.25 + 0.75 * share) * (1 - part) for part in to_rgb(COLOURS["sky"]))
        width = 0.6 + (_WIDEST - 0.6) * share
        patch = PathPatch(curve, fill=False, edgecolor=colour, linewidth=width, capstyle="butt")
        patch.set_zorder(share)  # wide branches are drawn over narrow branches
        axes.add_patch(patch)


def _draw_question(
    axes: Axes,
    question: Question,
    voted: NDArray[np.floating],
    predicted: NDArray[np.floating],
) -> None:
    """Draw the box of a question with its answers.

    voted, predicted: fractions of the question's own answers, in order.
    """
    place, top = _PLACES[question.number]
    left, height = _LEFT[place], _HEAD + len(question.answers) * _ROW + 0.04
    frame: dict[str, Any] = {"edgecolor": "0.35", "linewidth": 0.7, "zorder": 2}
    axes.add_patch(Rectangle((left, top), _BOX, height, facecolor="white", **frame))
    axes.add_patch(Rectangle((left, top), _BOX, _HEAD, facecolor="0.92", **frame))
    name = f"{question.number}  {question.name}"
    axes.text(left + 0.05, top + _HEAD / 2, name, va="center", fontweight="bold", zorder=3)
    for i, (answer, vote, guess) in enumerate(zip(question.answers, voted, predicted)):
        y = top + _HEAD + i * _ROW
        _draw_answer(axes, left, y, answer, float(vote), float(guess))


def _draw_answer(
    axes: Axes, left: float, top: float, answer: str, vote: float, guess: float
) -> None:
    """Draw the row of an answer: its name, both numbers, and a bar with a mark.

    left, top: upper left corner of the row in inches. answer: name of the answer. vote: voted
    fraction, which the bar shows. guess: predicted fraction, which the mark shows. The numbers are
    shown as given; bar and mark are cut to 0..1.
    """
    middle, line, right = top + 0.45 * _ROW, top + 0.86 * _ROW, left + _BOX
    axes.text(left + 0.05, middle, answer, va="center", zorder=3)
    numbers: dict[str, Any] = {"va": "center", "ha": "right", "zorder": 3}
    axes.text(right - 0.33, middle, f"{vote:.2f}", color=_VOTED, **numbers)
    axes.text(right - 0.05, middle, f"{guess:.2f}", color=_PREDICTED, style="italic", **numbers)
    start, length = left + 0.05, _BOX - 0.1
    voted_end = start + length * min(max(vote, 0.0), 1.0)
    guess_end = start + length * min(max(guess, 0.0), 1.0)
    ends: dict[str, Any] = {"solid_capstyle": "butt", "zorder": 3}
    axes.plot([start, start + length], [line, line], color="0.9", lw=2, **ends)
    axes.plot([start, voted_end], [line, line], color=_VOTED, lw=2, **ends)
    axes.plot(guess_end, line, "D", ms=3, mfc="white", mec=_PREDICTED, mew=0.9, zorder=4)


def _draw_way_to_odd(axes: Axes) -> None:
    """Draw the dashed line to question 6.

    Question 6 follows no single answer: all volunteers are asked, except those who saw an
    artifact.
    """
    place, top = _PLACES[1]
    x = _LEFT[place] + 0.2
    start = top + _HEAD + len(QUESTIONS[0].answers) * _ROW + 0.04
    axes.plot([x, x], [start, _PLACES[6][1]], color="0.35", lw=0.9, ls="--", zorder=1)
    words = "everyone but those\nwho saw an artifact"
    axes.text(x + 0.08, (start + _PLACES[6][1]) / 2, words, va="center", color="0.35")


def _draw_key(axes: Axes) -> None:
    """Draw the explanation of bars, marks and branches at the lower right."""
    left, top = _LEFT[2], 5.05
    axes.text(left, top, "Fractions of all volunteers:", va="center", fontsize=SMALL)
    axes.plot([left, left + 0.2], [top + 0.2] * 2, color=_VOTED, lw=2, solid_capstyle="butt")
    axes.text(left + 0.28, top + 0.2, "voted (left number)", va="center", color=_VOTED)
    axes.plot(left + 0.1, top + 0.4, "D", ms=3, mfc="white", mec=_PREDICTED, mew=0.9)
    words = "predicted (right number, in italics)"
    axes.text(left + 0.28, top + 0.4, words, va="center", color=_PREDICTED, style="italic")
    axes.plot(
        [left, left + 0.2], [top + 0.6] * 2, color=COLOURS["sky"], lw=8, solid_capstyle="butt"
    )
    axes.text(left + 0.28, top + 0.6, "branch: width and tint by the voted share", va="center")
