"""Figure of the held-out galaxies of each morphology with the highest predicted fractions."""

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes  # noqa: TID251  this module draws
from matplotlib.figure import Figure  # noqa: TID251
from numpy.typing import NDArray

from analysis.figures.style import SMALL, WIDTH, in_style, new_figure, show_pixels
from analysis.records import HeldOut
from trainables.decision_tree import COLUMNS

_A_ROW = 8  # galaxies
_IMAGE = 0.79  # inches; the side of an image


@dataclass(frozen=True)
class Morphology:
    """A row of the gallery, which stands for one morphology.

    name: name of the morphology.
    answers: Kaggle's names of the answers whose fractions are multiplied.
    """

    name: str
    answers: tuple[str, ...]

    def fraction(self, fractions: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the product [N] of the fractions of the row's answers; fractions: [N, 37]."""
        columns = [COLUMNS.index(answer) for answer in self.answers]
        return fractions[:, columns].astype(np.float64).prod(axis=1)


MORPHOLOGIES = (
    Morphology("Smooth,\nround", ("Class7.1",)),
    Morphology("Smooth,\nin between", ("Class7.2",)),
    Morphology("Smooth,\ncigar", ("Class7.3",)),
    Morphology("Edge-on\ndisk", ("Class2.1",)),
    Morphology("Barred\nspiral", ("Class3.1", "Class4.1")),
    Morphology("Spiral\nwithout bar", ("Class3.2", "Class4.1")),
    Morphology("Ring", ("Class8.1",)),
    Morphology("Merger", ("Class8.6",)),
    Morphology("Star or\nartifact", ("Class1.3",)),
)


@in_style
def gallery_figure(held_out: HeldOut) -> Figure:
    """Return a figure with nine rows, one per morphology, of up to eight galaxies.

    held_out: galaxies with the votes and predictions of one network. Each row holds the galaxies
    with the highest predicted fraction of the row's answer, or with the highest product of the
    predicted fractions of the row's two answers. Predicted and voted fraction (or product) are
    below each galaxy. The predictions alone choose the galaxies, without the votes and without a
    person.
    """
    columns = min(_A_ROW, len(held_out))
    rows = len(MORPHOLOGIES)
    figure = new_figure(WIDTH, 0.5 + rows * (_IMAGE + 0.14), pad=0.01, space=0)
    axes = figure.subplots(rows, columns + 1, squeeze=False, width_ratios=[0.85] + [1] * columns)
    for row, morphology in zip(axes, MORPHOLOGIES):
        _draw_name(row[0], morphology)
        predicted, voted = (morphology.fraction(f) for f in (held_out.predicted, held_out.voted))
        surest = np.argsort(-predicted, kind="stable")[:columns]
        for panel, place in zip(row[1:], surest):
            show_pixels(panel, held_out.images[place])
            text = f"{predicted[place]:.2f} | {voted[place]:.2f}"
            panel.set_xlabel(text, fontsize=SMALL, labelpad=1.5)
    figure.suptitle(
        f"{held_out.label}: of {len(held_out):,} held-out galaxies, those with the highest "
        "predicted fraction\n(where two answers are named: product of both). "
        "Below each: predicted | voted.",
        fontsize=8,
    )
    return figure


def _draw_name(axes: Axes, morphology: Morphology) -> None:
    """Write the name of a morphology and the numbers of its answers at the left of its row."""
    axes.axis("off")
    answers = " × ".join(answer.removeprefix("Class") for answer in morphology.answers)
    axes.text(0, 0.5, morphology.name, va="bottom", fontsize=8, transform=axes.transAxes)
    kind = "answers" if len(morphology.answers) > 1 else "answer"
    axes.text(0, 0.44, f"{kind}\n{answers}", va="top", color="0.35", transform=axes.transAxes)
