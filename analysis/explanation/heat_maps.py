"""Heat maps: which part of an image the most strongly predicted answer depends on."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from analysis.drawing import import_matplotlib
from analysis.explanation.attention_relevance import attention_relevance
from analysis.explanation.receptive_field import cells_on_image, enlarged_map, patches_on_image
from search_spaces.declaration import InvalidInput
from trainables.decision_tree import QUESTIONS, SLICES, Question
from trainables.device import MicroBatch
from trainables.galaxies import enlarged, network_input, reduced, seen_part, seen_side
from trainables.layers import GalaxyNetwork
from trainables.training import EnsembleNetwork, predict

Method = Literal["Grad-CAM", "attention relevance", "Grad-CAM and attention relevance"]
_BATCH_PIXELS = 64 * 64**2  # at once: 64 images with a side of 64 pixels, or 5 of 224


@dataclass(frozen=True)
class Explanation:
    """A heat map of one image and the answer that the heat map belongs to.

    heat: heat map [S, S] float32 in 0..1, where S is the network's `image_side` in pixels. The map
    covers the central part of the image that the network sees. The maximum is 1, unless the map
    is 0 everywhere.
    answer: index of the explained answer among the 37 vote fractions, 0..36.
    method: name of the method that made the heat map; both names for an ensemble whose members
        were explained by different methods.
    """

    heat: NDArray[np.float32]
    answer: int
    method: Method


def find_question(text: str) -> Question:
    """Return the question of the decision tree that a text names.

    text: number of the question from 1 to 11, its whole name, or a part of the name of one
    question only. The case does not matter, and hyphens and underscores count as spaces.
    InvalidInput, with a list of all questions, is raised if the text is empty, or fits no question
    or parts of more than one question's name.
    """
    asked = _plain(text)
    if text.strip().isdecimal():  # not `asked`, which lacks the sign of -1
        found = [q for q in QUESTIONS if q.number == int(asked)]
    else:
        found = [q for q in QUESTIONS if asked == _plain(q.name)]
        found = found or [q for q in QUESTIONS if asked and asked in _plain(q.name)]
    if len(found) == 1:
        return found[0]
    what = (
        f"{text!r} is part of {len(found)} questions' names" if found else f"no question {text!r}"
    )
    raise InvalidInput(
        f"{what}; there are: {', '.join(f'{q.number} {q.name}' for q in QUESTIONS)}"
    )


def _plain(text: str) -> str:
    """Return a text in lower case, with one space for each run of hyphens, underscores, spaces."""
    return " ".join(text.casefold().replace("-", " ").replace("_", " ").split())


def explained_answers(predicted: NDArray[np.floating], question: Question) -> NDArray[np.int64]:
    """Return the column, 0..36, of the answer with the highest fraction of each galaxy, [N].

    predicted: vote fractions [N, 37]. question: the question; only the answers to this question
    are compared. Of equal fractions the first is taken.
    """
    answers = SLICES[question.number - 1]
    columns: NDArray[np.int64] = answers.start + predicted[:, answers].argmax(axis=1)
    return columns


def explain(
    network: GalaxyNetwork,
    pixels: NDArray[np.uint8],
    question: Question,
    device: torch.device,
) -> list[Explanation]:
    """Return one explanation per image, for the question's answer with the highest prediction.

    network: the network, which must be on `device`. The call leaves the network's modes and
    gradients unchanged. pixels: images [N, S, S, 3] uint8 as stored, of any side S; for no image
    the list is empty. question: the question whose answer is explained. device: device of the
    computation. OutOfMemory is raised if memory cannot hold the prediction or the heat map of one
    galaxy.

    Networks to which `attention_relevance` applies, such as vision transformers without windows,
    are explained by the relevance of their attention (Chefer et al. 2021). All other networks are
    explained by Grad-CAM (Selvaraju et al. 2017) on the layer `explained_layer()`. Both methods
    use the gradient of the logit of the fraction p, not of p itself. The reason is the slope of
    the sigmoid, p(1 - p): a scaled Grad-CAM does not depend on this factor, but the relevance
    would lose the part from attention as p approaches 0 or 1. A fraction within 1.2e-7 of 0 or 1
    has no gradient, and its heat map is 0 everywhere.

    The heat map of an ensemble is the mean of its members' heat maps for the same answer, by the
    weights of the members and at the ensemble's `image_side`, divided by its own maximum.
    """
    if len(pixels) == 0:
        return []
    answers = torch.from_numpy(explained_answers(_predicted(network, pixels, device), question))
    heat, method = _heat_for(network, pixels, answers, device)
    numbers: NDArray[np.float32] = heat.float().cpu().numpy()
    return [Explanation(one, int(answer), method) for one, answer in zip(numbers, answers)]


def _heat_for(
    network: GalaxyNetwork, pixels: NDArray[np.uint8], answers: Tensor, device: torch.device
) -> tuple[Tensor, Method]:
    """Return heat maps [N, S, S] in 0..1 for one answer of each image, and their method.

    answers: column, 0..36, of the explained answer of each image, [N], on the CPU. S is the side
    of the network's images. The other arguments and the errors are those of `explain`.
    """
    if isinstance(network, EnsembleNetwork):
        return _mean_heat(network, pixels, answers, device)
    side = network.image_side

    def attempt(batch: int) -> tuple[list[Tensor], Method]:
        parts = []
        for start in range(0, len(pixels), batch):
            part = slice(start, start + batch)
            copied = np.array(pixels[part])  # torch refuses arrays that are not writable
            images = network_input(network, copied, device).requires_grad_()
            one, method = _maps(network, images, answers[part].to(device))
            parts.append(one)
        return parts, method

    size = MicroBatch("explanation", max(1, _BATCH_PIXELS // side**2), side, device)
    with _evaluating(network), torch.enable_grad():
        parts, method = size.fitting(len(pixels), attempt)
    by_attention = method == "attention relevance"
    if by_attention:
        cells = patches_on_image(network)
    else:
        cells = cells_on_image(network, network.explained_layer())
    return _scaled(enlarged_map(torch.cat(parts), cells, side)), method


def _mean_heat(
    network: EnsembleNetwork, pixels: NDArray[np.uint8], answers: Tensor, device: torch.device
) -> tuple[Tensor, Method]:
    """Return the mean heat maps [N, S, S] in 0..1 of an ensemble's members, and their method.

    The heat of a member is 0 outside the central part that the member sees. The arguments and the
    errors are those of `_heat_for`.
    """
    side = network.image_side
    total = torch.zeros(len(pixels), side, side, device=device)
    methods: set[Method] = set()
    for member, weight in network.weighted():
        heat, method = _heat_for(member, pixels, answers, device)
        part = seen_side(side, member.field_fraction)
        sized = enlarged(reduced(heat[:, None], part), part)[:, 0]
        seen_part(total, member.field_fraction).add_(weight * sized)
        methods.add(method)
    both: Method = "Grad-CAM and attention relevance"
    return _scaled(total), methods.pop() if len(methods) == 1 else both


def _predicted(
    network: GalaxyNetwork, pixels: NDArray[np.uint8], device: torch.device
) -> NDArray[np.float32]:
    """Return the predicted fractions [N, 37] for N >= 1 images, pixels [N, S, S, 3].

    network: the network, which must be on `device`. Each module keeps its mode, training or
    evaluation. OutOfMemory is raised if memory cannot hold one galaxy.
    """
    with _evaluating(network):
        return predict(network, pixels, device)


@contextmanager
def _evaluating(network: nn.Module) -> Iterator[None]:
    """Put the network into evaluation mode within the context.

    At the end each module has the mode again that the module had before.
    """
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


def _maps(network: GalaxyNetwork, images: Tensor, answers: Tensor) -> tuple[Tensor, Method]:
    """Return heat maps [B, h, w] >= 0 and the name of the method that made the heat maps.

    The size h = w is that of the grid of patches, or that of the explained layer's map. network:
    the network, in evaluation mode. images: images [B, 3, S, S] in 0..1 that require gradients.
    answers: column, 0..36, of the explained answer of each image, [B].
    """

    def logits(inputs: Tensor) -> Tensor:
        """Map images [B, 3, S, S] to the logits [B, 37] of the predicted fractions."""
        fractions: Tensor = network(inputs)
        return torch.logit(fractions, eps=torch.finfo(fractions.dtype).eps)

    maps = attention_relevance(network, images, lambda i: logits(i).gather(1, answers[:, None]))
    if maps is not None:
        return maps, "attention relevance"
    import_matplotlib()  # before captum does, which would raise a mistake in the user's settings
    from captum.attr import LayerGradCam

    cam = LayerGradCam(logits, network.explained_layer())
    maps = cam.attribute(images, target=answers, relu_attributions=True)
    return maps.detach()[:, 0], "Grad-CAM"


def _scaled(heat: Tensor) -> Tensor:
    """Return maps of heat [B, S, S] >= 0, each divided by its own maximum, in 0..1.

    A map of zeros stays a map of zeros.
    """
    most = heat.amax(dim=(1, 2), keepdim=True)
    scaled = torch.where(most > 0, heat / most.clamp_min(torch.finfo(heat.dtype).tiny), 0)
    return scaled.clamp(0, 1)
