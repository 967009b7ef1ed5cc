"""Which part of an image a prediction rests on: a heat map for the answer predicted most."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from captum.attr import LayerGradCam
from numpy.typing import NDArray
from torch import Tensor, nn

from analysis.attention_relevance import attention_relevance
from analysis.receptive_field import cells_on_image, enlarged_map
from trainables.decision_tree import QUESTIONS, SLICES, Question
from trainables.image_batches import enlarged, to_images
from trainables.network import GalaxyNetwork
from trainables.prediction import predict

Method = Literal["Grad-CAM", "attention relevance"]
_BATCH_PIXELS = 64 * 64**2  # 64 images of 64 pixels at once, 5 of 224


@dataclass(frozen=True)
class Explanation:
    """A heat map and the prediction that it belongs to.

    heat [S, S] float32 in 0..1 at the network's `image_side` S, its maximum 1 unless it is 0
    throughout; answer: index in 0..36 of the explained answer among the vote fractions.
    """

    heat: NDArray[np.float32]
    answer: int
    method: Method


def find_question(text: str) -> Question:
    """The question of that number, name or part of one name, whatever the case.

    ValueError that lists all questions if there is none such, or more than one.
    """
    asked = _plain(text)
    if asked.isdecimal():
        found = [q for q in QUESTIONS if q.number == int(asked)]
    else:
        found = [q for q in QUESTIONS if asked == _plain(q.name)]
        found = found or [q for q in QUESTIONS if asked and asked in _plain(q.name)]
    if len(found) == 1:
        return found[0]
    what = (
        f"{text!r} is part of {len(found)} questions' names" if found else f"no question {text!r}"
    )
    raise ValueError(f"{what}; there are: {', '.join(f'{q.number} {q.name}' for q in QUESTIONS)}")


def _plain(text: str) -> str:
    return " ".join(text.casefold().replace("-", " ").replace("_", " ").split())


def explained_answers(predicted: NDArray[np.floating], question: Question) -> NDArray[np.int64]:
    """Of fractions [N, 37] the columns [N] of the question's answers with the highest ones."""
    answers = SLICES[question.number - 1]
    columns: NDArray[np.int64] = answers.start + predicted[:, answers].argmax(axis=1)
    return columns


def explain(
    network: GalaxyNetwork,
    pixels: NDArray[np.uint8],
    question: Question,
    device: torch.device,
) -> list[Explanation]:
    """One explanation for each of pixels [N, S, S, 3]: of the question's answer predicted most.

    Transformers are explained by the relevance of their attention (Chefer et al. 2021), all
    others by Grad-CAM (Selvaraju et al. 2017) on the network's `explained_layer()`. Both start
    from the logit of the fraction and not from the fraction itself: the sigmoid's slope p(1 - p)
    cancels from a scaled Grad-CAM but would make attention fade from relevance as p nears 0 or 1.
    A fraction within 1.2e-7 of 0 or 1 has no gradient left, and its heat map is 0 throughout.

    The network, which must be on `device`, is left as it was found: modes and gradients.
    """
    answers = torch.from_numpy(explained_answers(_predicted(network, pixels, device), question))
    if len(answers) == 0:
        return []
    side = network.image_side
    batch = max(1, _BATCH_PIXELS // side**2)
    parts = []
    with _evaluating(network), torch.enable_grad():
        for start in range(0, len(pixels), batch):
            part = slice(start, start + batch)
            copied = np.array(pixels[part])  # mapped pixels are not writable, which torch minds
            images = enlarged(to_images(copied, device, side), side).requires_grad_()
            one, method = _maps(network, images, answers[part].to(device))
            parts.append(one)
    by_attention = method == "attention relevance"
    cells = None if by_attention else cells_on_image(network, network.explained_layer())
    heat = _scaled(enlarged_map(torch.cat(parts), cells, side))
    return [Explanation(one, int(answer), method) for one, answer in zip(heat, answers)]


def _predicted(
    network: GalaxyNetwork, pixels: NDArray[np.uint8], device: torch.device
) -> NDArray[np.float32]:
    with _evaluating(network):
        return predict(network, pixels, device)


@contextmanager
def _evaluating(network: nn.Module) -> Iterator[None]:
    """The network in evaluation mode; afterwards each part is in its own mode again."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


def _maps(network: GalaxyNetwork, images: Tensor, answers: Tensor) -> tuple[Tensor, Method]:
    """Maps [B, h, w] >= 0 of the logits of `answers` [B] for images [B, 3, S, S]."""

    def logits(inputs: Tensor) -> Tensor:
        fractions: Tensor = network(inputs)
        return torch.logit(fractions, eps=torch.finfo(fractions.dtype).eps)

    maps = attention_relevance(network, images, lambda i: logits(i).gather(1, answers[:, None]))
    if maps is not None:
        return maps, "attention relevance"
    cam = LayerGradCam(logits, network.explained_layer())
    maps = cam.attribute(images, target=answers, relu_attributions=True)
    return maps.detach()[:, 0], "Grad-CAM"


def _scaled(heat: Tensor) -> NDArray[np.float32]:
    """Each map of [B, S, S] divided by its maximum; one of zeros stays so."""
    most = heat.amax(dim=(1, 2), keepdim=True)
    scaled = torch.where(most > 0, heat / most.clamp_min(torch.finfo(heat.dtype).tiny), 0)
    result: NDArray[np.float32] = scaled.clamp(0, 1).float().cpu().numpy()
    return result
