"""Heat maps in pictures: what was asked, what is explained, and of which galaxies."""

from typing import Any

import numpy as np
import torch

from analysis.explanation.heat_maps import Explanation
from analysis.figures.explanation import explanation_figure, explanation_page
from analysis.records.held_out import HeldOut
from tests.support.networks import noise, small_transformer
from trainables.decision_tree import NUM_ANSWERS, QUESTIONS
from trainables.galaxies.galaxy_file import Galaxies
from trainables.training.prediction import predict

CPU = torch.device("cpu")
ROUNDNESS = QUESTIONS[6]


def words(figure: Any) -> str:
    panels = [
        (a.get_title(), a.get_xlabel(), *(t.get_text() for t in a.texts)) for a in figure.axes
    ]
    ticks = [t.get_text() for a in figure.axes for t in a.get_yticklabels()]
    return " ".join([figure.get_suptitle(), *(t for panel in panels for t in panel), *ticks])


def test_a_figure_says_what_was_asked_and_what_is_explained() -> None:
    predicted = np.linspace(0, 1, NUM_ANSWERS)
    heat = np.eye(64, dtype=np.float32)
    figure = explanation_figure(
        noise(1)[0],
        Explanation(heat, 17, "Grad-CAM"),
        predicted,
        question=ROUNDNESS,
        label="simple_cnn, trial 00003",
    )
    text = words(figure)
    for part in ("simple_cnn, trial 00003", "question 7: roundness", "most predicted votes"):
        assert part in text
    assert "“cigar”, by Grad-CAM" in text and "in between" in text and "0.47" in text
    assert "0 throughout" not in text


def test_a_figure_of_an_empty_map_says_so() -> None:
    heat = np.zeros((64, 64), dtype=np.float32)
    one, question = Explanation(heat, 17, "Grad-CAM"), ROUNDNESS
    predicted = np.zeros(NUM_ANSWERS)
    figure = explanation_figure(noise(1)[0], one, predicted, question=question, label="x")
    assert "0 throughout" in words(figure)


def test_a_page_shows_every_galaxy_with_every_question(toys: Galaxies) -> None:
    network = small_transformer()
    images, voted = toys.images[:8], toys.target[:8]
    predicted = predict(network, images, CPU, np.arange(8))
    held_out = HeldOut("vit, trial 1", toys.ids[:8], images, voted, predicted)
    figure = explanation_page(held_out, network, CPU, questions=QUESTIONS[:2], rows=[5, 2])
    assert len(figure.axes) == 2 * 3 + 1  # and the colour bar
    text = words(figure)
    for part in ("vit, trial 1", "attention relevance", "question 2\nedge-on disk"):
        assert part in text
    best = predicted[5, :3].argmax()
    name = QUESTIONS[0].answers[best]
    assert f"{name}\n{predicted[5, best]:.2f} | {voted[5, best]:.2f}" in text
    assert str(toys.ids[5]) in text and str(toys.ids[3]) not in text


def test_a_page_chooses_its_galaxies_by_their_votes(toys: Galaxies) -> None:
    network = small_transformer()
    predicted = predict(network, toys.images, CPU)
    held_out = HeldOut("vit", toys.ids, toys.images, toys.target, predicted)
    text = words(explanation_page(held_out, network, CPU, questions=QUESTIONS[:1]))
    assert str(toys.ids[toys.target[:, 15].argmax()]) in text  # the roundest
    assert text.count("galaxy\n") == 6
