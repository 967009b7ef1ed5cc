"""Attention relevance: the published formula, and a network that is left as it was."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from analysis.explanation.heat_maps import explain
from tests.support.networks import blocks, noise, small_transformer
from trainables.architectures.vision_transformer import VisionTransformer
from trainables.decision_tree import QUESTIONS
from trainables.galaxies.image_batches import to_images

CPU = torch.device("cpu")
ROUNDNESS = QUESTIONS[6]


def numpy_relevance(network: VisionTransformer, image: Tensor, answer: int) -> NDArray[np.float64]:
    """Relevance [8, 8] of patches for an image [1, 3, 64, 64], block by block."""
    tokens = torch.cat([network.class_token, network.projection(network._patches(image))], dim=1)
    tokens = tokens + network.positions[:65]
    attention = []
    for block in blocks(network):
        layer, normed = block.attention, block.norms[0](tokens)
        query, key, value = (
            part(normed).view(65, 2, 16).permute(1, 0, 2)
            for part in (layer.query, layer.key, layer.value)
        )
        attention.append(torch.softmax(query @ key.transpose(1, 2) / 4, dim=2))  # [2, 65, 65]
        mixed = (attention[-1] @ value).permute(1, 0, 2).reshape(1, 65, 32)
        tokens = tokens + layer.output(mixed)
        tokens = tokens + block.dense[1](F.gelu(block.dense[0](block.norms[1](tokens))))
    features = network.norm(tokens[:, 0])
    for dense in network.dense:
        features = F.gelu(dense(features))
    logits = torch.logit(network.output(features))
    gradients = torch.autograd.grad(logits[0, answer], attention)
    relevance = np.eye(65)
    for weights, gradient in zip(attention, gradients):
        positive = np.maximum((gradient * weights).detach().numpy(), 0).mean(axis=0)  # equation 5
        relevance = relevance + positive @ relevance  # equation 6
    return relevance[0, 1:].reshape(8, 8)


def test_attention_relevance_is_what_chefer_writes() -> None:
    network, pixels = small_transformer(patch_side=8, output_activation="none"), noise()
    images = to_images(pixels, CPU, 64)
    for image, one in zip(images, explain(network, pixels, ROUNDNESS, CPU)):
        expected = torch.from_numpy(numpy_relevance(network, image[None], one.answer))
        enlarged = F.interpolate(expected[None, None], size=64, mode="bilinear")[0, 0].numpy()
        np.testing.assert_allclose(one.heat, enlarged / enlarged.max(), atol=1e-4)
        assert one.method == "attention relevance"


def test_an_error_leaves_the_attention_fused() -> None:
    network = small_transformer()
    last = blocks(network)[-1]  # fails once its attention is watched, not when it predicts
    broken = last.register_forward_hook(lambda *_: None if last.attention.fused_attn else 1 / 0)
    with pytest.raises(ZeroDivisionError):
        explain(network.train(), noise(), ROUNDNESS, CPU)
    broken.remove()
    assert all(block.attention.fused_attn and block.training for block in blocks(network))
    assert not any(len(module._forward_hooks) for module in network.modules())
