"""Explanations: a model's answer to a question about an image, and the part that matters to it."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from analysis.explanation import Explanation, Method, explain, find_question
from galaxytune.models.export_folder import Export
from galaxytune.models.framing import Crop, Framing
from search_spaces.declaration import InvalidInput, check_regular, given_path
from trainables.decision_tree import Question, answer_name
from trainables.device import training_device
from trainables.files import DAMAGE, one_line, write_atomically, writing_to_a_given_place
from trainables.galaxies import decode_image, image_of, seen_pixels
from trainables.training import predict

if TYPE_CHECKING:
    from matplotlib.figure import Figure  # noqa: TID251  only for annotations

_DOTS_AN_INCH = 200
_SUFFIXES = (".png", ".pdf")


@dataclass(frozen=True)
class ImageExplanation:
    """An explanation of a network's answer to a question about an image.

    label: the architecture, or `ensemble of 3 networks`, and the image's file name, such as
        `simple_cnn, galaxy.jpg`; for pixels the name is `an array`.
    question: the question that was asked.
    explained: the heat map, and the answer to `question` with the highest predicted vote fraction.
    pixels: the part [p, p, 3] uint8 that the network sees of the image, after the image was cut
        and reduced as the images of the training. The network changes the side itself if its
        `image_side` is not p.
    predicted: all 37 predicted vote fractions [37] in 0..1, in Kaggle's order.
    framing: one line on how the image was cut and reduced.
    """

    label: str
    question: Question
    explained: Explanation
    pixels: NDArray[np.uint8]
    predicted: NDArray[np.float32]
    framing: str

    @property
    def answer(self) -> str:
        """The name of the answer to `question` that the network gives the highest vote fraction.

        Only the answers to `question` are compared, not all 37. An example is `features or disk`.
        """
        return answer_name(self.explained.answer)

    @property
    def fraction(self) -> float:
        """The predicted vote fraction of the answer, in 0..1."""
        return float(self.predicted[self.explained.answer])

    @property
    def method(self) -> Method:
        """The method that computed the heat map: `Grad-CAM` or `attention relevance`.

        The method is `Grad-CAM and attention relevance` for an ensemble whose members need both.
        """
        return self.explained.method

    @property
    def heat(self) -> NDArray[np.float32]:
        """The heat map [S, S] in 0..1, where 1 matters most; S is the network's `image_side`.

        The map is 0 everywhere if no part of the image changes the answer. The array is not a
        copy.
        """
        return self.explained.heat

    def figure(self) -> "Figure":
        """Return a new matplotlib Figure: image, heat map, and the fractions of the answers.

        Only the answers to `question` are drawn.
        """
        from analysis.figures import explanation_figure  # the import loads matplotlib

        return explanation_figure(
            self.pixels, self.explained, self.predicted, question=self.question, label=self.label
        )

    def save(self, out: str | Path) -> Path:
        """Write the figure as PNG or PDF, by the suffix of `out`, and return the path `out`.

        The folder of `out` is made, and an older file is replaced. Another suffix, or a path that
        cannot be written, for example without permission, raises InvalidInput. OSError is raised
        if the disk refuses for another reason, such as a full disk.
        """
        from analysis.figures import in_style

        out = given_path(out)
        check_figure_name(out)
        kind = out.suffix.lower().removeprefix(".")
        save = in_style(self.figure().savefig)
        with writing_to_a_given_place():
            write_atomically(out, lambda path: save(path, format=kind, dpi=_DOTS_AN_INCH))
        return out

    def __str__(self) -> str:
        """Return one sentence with the question, the answer, its vote fraction and the method."""
        return (
            f"question {self.question.number}, {self.question.name}: {self.answer!r} is predicted "
            f"most, {self.fraction:.3f} of the votes; explained by {self.method}"
        )


def explain_image(
    export: Export,
    image: Path | NDArray[np.uint8],
    question: str | int,
    *,
    crop: Crop = "training",
) -> ImageExplanation:
    """Return the explanation of a network's answer to a question about an image.

    export: the exported network, which is moved to the GPU if torch finds a GPU. image: one image
    file, see `decode_image`, or pixels [H, W, 3] uint8. question: a question's number from 1 to
    11, its name, or a part of its name that no other question's name has. crop: how the image is
    cut, see `Framing`.

    InvalidInput is raised if the question is unknown or not unique, if the file is missing or no
    image, if the crop is wrong, if the image is smaller than the crop, or if pixels have another
    type or shape. OutOfMemory, a WorkFailed, is raised if memory does not hold the prediction.
    """
    asked = find_question(str(question))
    framing = Framing(export, crop)
    name, pixels = _fitted(image, framing)
    device = training_device()
    network = export.network.to(device)
    predicted = predict(network, pixels[None], device)[0]
    explained = explain(network, pixels[None], asked, device)[0]
    label = f"{export.label}, {name}"
    seen = seen_pixels(pixels, network.field_fraction)
    return ImageExplanation(label, asked, explained, seen, predicted, framing.sentence())


def _fitted(image: Path | NDArray[np.uint8], framing: Framing) -> tuple[str, NDArray[np.uint8]]:
    """Return an image's name, and its pixels [s, s, 3] at the size s of the training images.

    The name is the file's name, or `an array` for pixels. An image that is missing, damaged,
    smaller than the crop, or of another type or shape raises InvalidInput.
    """
    if not isinstance(image, Path | np.ndarray):
        raise InvalidInput(f"an image must be an array or a path, got {type(image).__name__}")
    if isinstance(image, np.ndarray):
        return "an array", framing.fit(image_of(image))
    if image.is_dir():
        raise InvalidInput(f"{image} is a folder; name one image in it")
    check_regular(image)
    if not image.is_file():
        raise InvalidInput(f"no image file {image}")
    try:
        return image.name, framing.fit(decode_image(image))
    except DAMAGE as error:
        raise InvalidInput(f"{image}: {one_line(error)}") from None


def check_figure_name(out: Path) -> None:
    """Raise InvalidInput unless `out` ends in .png or .pdf, in upper or lower case."""
    if out.suffix.lower() not in _SUFFIXES:
        raise InvalidInput(f"an explanation is written as .png or .pdf, not {out.name!r}")
