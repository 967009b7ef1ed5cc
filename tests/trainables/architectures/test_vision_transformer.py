"""The vision transformer: its sizes, its slips on request, and its numbers in NumPy."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.special import erf, softmax

from search_spaces.declaration.known_architectures import config_from_values
from trainables.architectures.vision_transformer import Attention, Block, VisionTransformer, build
from trainables.layers.keras_layers import count_parameters

Array = NDArray[np.float64]


def transformer(**values: Any) -> VisionTransformer:
    torch.manual_seed(0)
    config = config_from_values({"architecture": "vision_transformer", **values})
    return build(config)  # type: ignore[arg-type]


def test_one_block_and_its_attention_are_as_large_as_keras_makes_them() -> None:
    (block,) = transformer(depth=1).blocks
    assert isinstance(block, Block)
    assert count_parameters(block) == (149_504, 149_504)
    assert count_parameters(block.attention)[0] == 132_672  # 3 x (64 x 512 + 512) + 512 x 64 + 64


def test_the_dead_row_becomes_a_class_token_that_learns() -> None:
    published, corrected = transformer(), transformer(as_published=False)
    assert published.positions.shape == (66, 64) and corrected.positions.shape == (65, 64)
    assert not published.class_token.requires_grad and corrected.class_token.requires_grad
    assert count_parameters(corrected)[0] == 1_821_477 - 64 + 64


def test_no_number_depends_on_the_dead_row() -> None:
    network = transformer(depth=2).eval()
    images = torch.rand(2, 3, 64, 64)
    network(images).sum().backward()
    gradient = network.positions.grad
    assert gradient is not None and not gradient[65].any() and gradient[64].any()


def test_fused_and_written_out_attention_agree() -> None:
    network = transformer(depth=2).double().eval()
    images = torch.rand(2, 3, 64, 64, dtype=torch.float64)
    fused = network(images)
    for module in network.modules():
        if isinstance(module, Attention):
            module.fused_attn = False
    torch.testing.assert_close(network(images), fused, rtol=1e-10, atol=1e-12)


def weights_of(layer: Any) -> tuple[Array, Array]:
    return layer.weight.detach().numpy(), layer.bias.detach().numpy()


def dense(layer: Any, x: Array) -> Array:
    weight, bias = weights_of(layer)
    return x @ weight.T + bias


def normed(layer: Any, x: Array) -> Array:
    weight, bias = weights_of(layer)
    centred = x - x.mean(-1, keepdims=True)
    return weight * centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-6) + bias


def gelu(x: Array) -> Array:
    return x * 0.5 * (1 + erf(x / np.sqrt(2)))


def attended(layer: Any, x: Array, num_heads: int) -> Array:
    outputs = []
    query, key, value = (dense(part, x) for part in (layer.query, layer.key, layer.value))
    for head in np.split(np.arange(query.shape[1]), num_heads):
        scores = query[:, head] @ key[:, head].T / np.sqrt(len(head))
        outputs.append(softmax(scores, axis=1) @ value[:, head])
    return dense(layer.output, np.concatenate(outputs, axis=1))


def in_numpy(network: VisionTransformer, image: Array, *, side: int, last: bool) -> Array:
    """The notebook's forward pass for one image [64, 64, 3], written with loops."""
    patches = [
        image[row : row + side, column : column + side].ravel()
        for row in range(0, 64, side)
        for column in range(0, 64, side)
    ]
    tokens = dense(network.projection, np.stack(patches))
    tokens = np.concatenate([network.class_token.detach().numpy()[0], tokens])
    tokens = tokens + network.positions.detach().numpy()[: len(tokens)]
    for block in (b for b in network.blocks if isinstance(b, Block)):
        tokens = tokens + attended(block.attention, normed(block.norms[0], tokens), 8)
        mixed = dense(block.dense[1], gelu(dense(block.dense[0], normed(block.norms[1], tokens))))
        tokens = tokens + (gelu(mixed) if last else mixed)
    features = normed(network.norm, tokens[0])
    for layer in network.dense:
        features = gelu(dense(layer, features))
    return 1 / (1 + np.exp(-dense(network.output, features)))


@pytest.mark.parametrize(("side", "activation"), [(8, "gelu"), (16, "none")])
def test_outputs_are_those_of_the_implementation_in_numpy(side: int, activation: str) -> None:
    network = transformer(
        depth=2, width=0.25, patch_side=side, output_activation=activation, as_published=False
    )
    for parameter in network.parameters():  # so that biases, norms and the token count too
        torch.nn.init.normal_(parameter, std=0.3)
    network = network.double().eval()
    image = np.random.default_rng(0).random((64, 64, 3))
    expected = in_numpy(network, image, side=side, last=activation == "gelu")
    found = network(torch.from_numpy(image).permute(2, 0, 1)[None])[0].detach().numpy()
    assert expected.std() > 0.01
    np.testing.assert_allclose(found, expected, rtol=1e-9)
