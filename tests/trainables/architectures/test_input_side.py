"""The networks of the project at other image sides than the published 64 pixels."""

from typing import Any

import numpy as np
import pytest
import torch

from search_spaces.declaration import InvalidInput, config_from_values
from trainables.architectures import build_without_weights
from trainables.architectures.vision_transformer import VisionTransformer
from trainables.layers import GalaxyNetwork, count_parameters
from trainables.training import predict

SMALLEST = {"simple_cnn": 46, "parallel_cnn": 17, "vision_transformer": 16, "residual_cnn": 16}


def build(architecture: str, **values: Any) -> GalaxyNetwork:
    torch.manual_seed(0)
    shrunk = {"depth": 1} if architecture == "vision_transformer" else {}
    values = {"architecture": architecture, "width": 0.1, **shrunk, **values}
    return build_without_weights(config_from_values(values)).eval()


@pytest.mark.parametrize("above", [0, 5, 33])
@pytest.mark.parametrize("architecture", SMALLEST)
def test_a_network_takes_every_side_from_its_smallest_on(architecture: str, above: int) -> None:
    side = SMALLEST[architecture] + above
    network = build(architecture, input_side=side)
    votes = network(torch.rand(2, 3, side, side))
    assert votes.shape == (2, 37) and network.image_side == side


@pytest.mark.parametrize("architecture", SMALLEST)
def test_a_smaller_side_is_refused_in_one_line(architecture: str) -> None:
    side = SMALLEST[architecture]
    told = f"^input_side: Input should be greater than or equal to {side}, got {side - 1}$"
    with pytest.raises(InvalidInput, match=told):
        build(architecture, input_side=side - 1)


@pytest.mark.parametrize(
    ("architecture", "side", "values", "more"),
    [
        # 128 -> 63 -> 30 -> 14 -> 6 pixels: 36 values of 128 channels lead to 512 units, not 4
        ("simple_cnn", 128, {}, 32 * 128 * 512),
        ("simple_cnn", 46, {}, -3 * 128 * 512),  # 1 value
        # 128 -> 63 -> 31 -> 15 -> 7 pixels: 49 values of 64 channels lead to 256 units, not 9
        ("parallel_cnn", 128, {}, 40 * 64 * 256),
        ("vision_transformer", 128, {}, 192 * 64),  # 256 patches, not 64
        ("vision_transformer", 60, {}, 0),  # 8 x 8 patches reach beyond the image
        ("residual_cnn", 128, {}, 0),  # its maps are averaged
    ],
)
def test_the_number_of_parameters_follows_the_map(
    architecture: str, side: int, values: dict[str, Any], more: int
) -> None:
    at_64, other = (
        build_without_weights(
            config_from_values({"architecture": architecture, "input_side": s, **values})
        )
        for s in (64, side)
    )
    assert count_parameters(other)[0] - count_parameters(at_64)[0] == more


@pytest.mark.parametrize("architecture", SMALLEST)
def test_stored_images_of_any_side_are_brought_to_the_networks(architecture: str) -> None:
    network = build(architecture, input_side=56)
    for stored in (40, 56, 100):
        pixels = np.random.default_rng(0).integers(0, 256, (2, stored, stored, 3), np.uint8)
        assert predict(network, pixels, torch.device("cpu")).shape == (2, 37)


def test_patches_that_reach_beyond_the_image_are_black_there() -> None:
    network = build("vision_transformer", input_side=61, patch_side=16)
    assert isinstance(network, VisionTransformer)
    assert network.border == (1, 2)  # 64 - 61 pixels, the odd pixel behind
    patches = network._patches(torch.ones(1, 3, 61, 61)).view(4, 4, 16, 16, 3)
    first, last = patches[0, 0, :, :, 0], patches[3, 3, :, :, 0]
    assert not first[0].any() and not first[:, 0].any() and first[1:, 1:].all()
    assert not last[14:].any() and not last[:, 14:].any() and last[:14, :14].all()
