"""One image, one question: the exported network's answer and what in the image it rests on."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analysis.explanation import explain, find_question
from analysis.figures.explanation import answer_name, explanation_figure
from analysis.figures.style import in_style
from galaxytune.export import load_export
from trainables.files import write_atomically
from trainables.galaxies.damage import DAMAGE, one_line
from trainables.galaxies.image_files import read_image
from trainables.prediction import predict
from trainables.training import training_device

_DOTS_AN_INCH = 200


def explain_image(export_dir: Path, image: Path, question: str, out: Path) -> str:
    """Write a figure that explains the network's answer to `question` for an image file.

    question: its number, its name or a part of the name; out: a .png or .pdf, in small
    letters or capitals. Returns one line on what was explained. ValueError in one line if the
    question, the suffix, the image or the export folder is none.
    """
    asked = find_question(question)
    kind = out.suffix.lower().removeprefix(".")
    if kind not in ("png", "pdf"):
        raise ValueError(f"an explanation is written as .png or .pdf, not {out.name!r}")
    if not image.is_file():
        raise ValueError(f"no image file {image}")
    export = load_export(export_dir)
    pixels = _read(image, crop=export.crop, side=export.side)[None]
    device = training_device()
    network = export.network.to(device)
    predicted = predict(network, pixels, device)[0]
    explanation = explain(network, pixels, asked, device)[0]
    figure = explanation_figure(
        pixels[0],
        explanation,
        predicted,
        question=asked,
        label=f"{export.config.architecture}, {image.name}",
    )
    save = in_style(figure.savefig)
    write_atomically(out, lambda path: save(path, format=kind, dpi=_DOTS_AN_INCH))
    return (
        f"question {asked.number}, {asked.name}: {answer_name(explanation.answer)!r} is predicted "
        f"most, {predicted[explanation.answer]:.3f} of the votes; explained by "
        f"{explanation.method} -> {out}"
    )


def _read(image: Path, *, crop: int, side: int) -> NDArray[np.uint8]:
    try:
        return read_image(image, crop=crop, side=side)
    except DAMAGE as error:
        raise ValueError(f"{image}: {one_line(error)}") from None
