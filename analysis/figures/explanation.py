"""Figures of heat maps: a single prediction in detail, and several galaxies on a page."""

from collections.abc import Sequence

import numpy as np
import torch
from matplotlib import colormaps  # noqa: TID251  this module draws
from matplotlib.axes import Axes  # noqa: TID251
from matplotlib.cm import ScalarMappable  # noqa: TID251
from matplotlib.figure import Figure  # noqa: TID251
from numpy.typing import NDArray

from analysis.explanation import Explanation, explain
from analysis.figures.style import COLOURS, SMALL, WIDTH, in_style, new_figure, show_pixels, tidy
from analysis.records import HeldOut
from trainables.decision_tree import COLUMNS, QUESTIONS, SLICES, Question, answer_name
from trainables.galaxies import seen_pixels
from trainables.layers import GalaxyNetwork

_HEAT = colormaps["viridis"]  # lightness increases evenly, also for colour-blind readers
_OPACITY = 0.5
_EMPTY = "no part of the image changes the answer"
_LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
_BAR_LABEL = "importance (largest: 1)"

# On the page each question is a column. Each answer is a row, which shows the galaxy with the
# highest vote fraction of the answer; no galaxy is chosen by hand.
PAGE_QUESTIONS = tuple(QUESTIONS[number - 1] for number in (1, 2, 3, 4, 6, 7))
_PAGE_ANSWERS = ("Class7.1", "Class7.3", "Class2.1", "Class4.1", "Class3.1", "Class8.6")


@in_style
def explanation_figure(
    pixels: NDArray[np.uint8],
    explanation: Explanation,
    predicted: NDArray[np.floating],
    *,
    question: Question,
    label: str,
) -> Figure:
    """Return a figure of an image, its heat map, and the predicted fractions of one question.

    pixels: the image [S, S, 3] uint8. explanation: the heat map and its answer. predicted: the
    network's fractions [37] for the image. question: the question that the explained answer
    belongs to. label: name of the network, for the title. The title says so if the heat map is 0
    everywhere.
    """
    figure = new_figure(WIDTH, 2.75)
    image, heat, bars = figure.subplots(1, 3, width_ratios=[1, 1, 0.9])
    show_pixels(image, pixels)
    image.set_title("Image")
    show_pixels(heat, over_image(pixels, explanation.heat))
    heat.set_title(f"Heat map of “{answer_name(explanation.answer)}”")
    figure.colorbar(
        ScalarMappable(cmap=_HEAT), ax=heat, label=_BAR_LABEL, alpha=_OPACITY, pad=0.02
    )
    _draw_fractions(bars, predicted, question, explanation.answer)
    empty = "" if explanation.heat.any() else f"\nIt is 0 throughout: {_EMPTY} for this answer."
    figure.suptitle(
        f"{label}, question {question.number}: {question.name}\n"
        f"The heat map belongs to the answer with the most predicted votes, "
        f"“{answer_name(explanation.answer)}”, by {explanation.method}.{empty}"
    )
    return figure


def _draw_fractions(
    axes: Axes, predicted: NDArray[np.floating], question: Question, answer: int
) -> None:
    """Draw the predicted fractions of a question's answers as bars.

    predicted: fractions [37] of the galaxy. answer: index, 0..36, of the answer to emphasize; this
    must be an answer to `question`.
    """
    answers = SLICES[question.number - 1]
    fractions = predicted[answers]
    chosen = answer - answers.start
    colours = [COLOURS["vermilion"] if i == chosen else "0.7" for i in range(len(fractions))]
    bars = axes.barh(range(len(fractions)), fractions, color=colours, height=0.6)
    labels = axes.bar_label(bars, [f"{f:.2f}" for f in fractions], padding=2, fontsize=SMALL)
    axes.set_yticks(range(len(fractions)), question.answers)
    for bold in (labels[chosen], axes.get_yticklabels()[chosen]):
        bold.set_fontweight("bold")
    axes.set_ylim(max(3, len(fractions)) - 0.4, -0.6)
    axes.set_xlim(0, 1.2)  # leaves space for the number after a long bar
    axes.set_xticks([0, 0.5, 1])
    axes.set_xlabel("predicted fraction of votes")
    axes.set_title("Prediction")
    axes.tick_params(axis="y", length=0)
    tidy(axes)


def over_image(pixels: NDArray[np.uint8], heat: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return a heat map in colours over a grey image, [T, T, 3] in 0..1.

    pixels: the image [S, S, 3] uint8. heat: heat map [s, s] in 0..1. T is the larger of S and s.
    The image is grey, so that every colour means heat.
    """
    side = max(len(pixels), len(heat))
    grey = _resized(pixels @ _LUMA / 255, side)[..., None]
    colour = _HEAT(_resized(heat, side))[..., :3]
    blended: NDArray[np.float64] = (1 - _OPACITY) * grey + _OPACITY * colour
    return blended


def _resized(plane: NDArray[np.floating], side: int) -> NDArray[np.floating]:
    """Return a plane [s, s] resized to [side, side] with the nearest values, as a new array."""
    places = (np.arange(side) + 0.5) * len(plane) / side
    rows = places.astype(int)
    return plane[rows[:, None], rows]


@in_style
def explanation_page(
    held_out: HeldOut,
    network: GalaxyNetwork,
    device: torch.device,
    *,
    questions: Sequence[Question] = PAGE_QUESTIONS,
    rows: Sequence[int] | None = None,
) -> Figure:
    """Return a figure with one row per galaxy: its image, and one heat map per question.

    Of each image the part that the network sees is drawn.

    held_out: galaxies with the network's predictions. network: the network, which must be on
    `device`. device: device of the computation. questions: the questions to explain, at least one.
    Each heat map belongs to the question's answer with the highest prediction. rows: indices of
    the galaxies in `held_out`, at least one. Errors of the heat maps, such as OutOfMemory, are
    those of `explain`.

    If `rows` is None, the figure shows up to six galaxies: the galaxies with the highest vote
    fractions of round, cigar, edge-on, spiral, barred and merging. The votes choose these
    galaxies, so that neither chance nor the network has an influence.
    """
    chosen = list(_page_galaxies(held_out.voted) if rows is None else rows)
    pixels = held_out.images[chosen]
    seen = seen_pixels(pixels, network.field_fraction)
    columns = [explain(network, pixels, question, device) for question in questions]
    figure = new_figure(WIDTH, 1.15 + 1.3 * len(chosen))
    axes = figure.subplots(len(chosen), len(columns) + 1, squeeze=False)
    for panel, question in zip(axes[0, 1:], questions):
        panel.set_title(f"question {question.number}\n{question.name}", fontsize=SMALL)
    for row, galaxy in enumerate(chosen):
        show_pixels(axes[row, 0], seen[row])
        axes[row, 0].set_xlabel(f"galaxy\n{held_out.ids[galaxy]}", labelpad=2, fontsize=SMALL)
        for panel, explanations in zip(axes[row, 1:], columns):
            show_pixels(panel, over_image(seen[row], explanations[row].heat))
            _describe_cell(panel, held_out, galaxy, explanations[row])
    figure.colorbar(
        ScalarMappable(cmap=_HEAT), ax=axes, label=_BAR_LABEL, alpha=_OPACITY,
        location="bottom", fraction=0.012, pad=0.01, aspect=60, shrink=0.5,
    )  # fmt: skip
    figure.suptitle(
        f"{held_out.label}\nHeat map of the answer with the most predicted votes, by "
        f"{columns[0][0].method}.\nBelow each: that answer, its predicted | voted fraction."
    )
    pads = {"w_pad": 0.01, "h_pad": 0.02, "wspace": 0, "hspace": 0}
    figure.set_layout_engine("constrained", **pads)
    return figure


def _page_galaxies(voted: NDArray[np.float32]) -> list[int]:
    """Return the indices of the galaxies that the page shows by default.

    voted: vote fractions [N, 37]. For each of the page's six answers, the galaxy with the highest
    fraction is taken, among the galaxies that are not taken for an earlier answer. If there are
    fewer galaxies than answers, each galaxy is taken once.
    """
    chosen: list[int] = []
    for answer in _PAGE_ANSWERS[: len(voted)]:
        order = np.argsort(-voted[:, COLUMNS.index(answer)], kind="stable")
        chosen.append(next(int(galaxy) for galaxy in order if galaxy not in chosen))
    return chosen


def _describe_cell(axes: Axes, held_out: HeldOut, galaxy: int, explanation: Explanation) -> None:
    """Write the predicted and voted fraction of one galaxy below its heat map.

    galaxy: index of the galaxy in `held_out`. explanation: the galaxy's heat map and its answer.
    """
    if not explanation.heat.any():
        axes.text(0.5, 0.04, "0 throughout", color="white", ha="center", transform=axes.transAxes)
    answer = explanation.answer
    predicted, voted = held_out.predicted[galaxy, answer], held_out.voted[galaxy, answer]
    axes.set_xlabel(
        f"{answer_name(answer)}\n{predicted:.2f} | {voted:.2f}", labelpad=2, fontsize=SMALL
    )
