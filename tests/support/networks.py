"""Small untrained networks, and images of noise to show to the networks."""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from search_spaces.declaration import config_from_values
from trainables.architectures import build_without_weights
from trainables.architectures.vision_transformer import Block, VisionTransformer
from trainables.backbones import FineTunedNetwork
from trainables.decision_tree import NUM_ANSWERS
from trainables.layers import GalaxyNetwork


def untrained(architecture: str, **values: Any) -> GalaxyNetwork:
    """Return the network of a config, in evaluation mode, with the same weights every time."""
    torch.manual_seed(0)
    config = config_from_values({"architecture": architecture, **values})
    return build_without_weights(config).eval()


def fine_tuned(architecture: str, **values: Any) -> FineTunedNetwork:
    """Return the network of a pretrained backbone, without its weights, for images of 32 pixels.

    The network is in training mode, and its weights are the same every time.
    """
    torch.manual_seed(0)
    config = config_from_values({"architecture": architecture, "input_side": 32, **values})
    network = build_without_weights(config)
    assert isinstance(network, FineTunedNetwork)
    return network


def small_transformer(**values: Any) -> VisionTransformer:
    """Return a vision transformer of two blocks with two heads on 16 channels."""
    network = untrained("vision_transformer", depth=2, num_heads=2, width=0.25, **values)
    assert isinstance(network, VisionTransformer)
    return network


def blocks(network: VisionTransformer) -> list[Block]:
    """Return the blocks of a vision transformer in order."""
    return [block for block in network.blocks if isinstance(block, Block)]


def noise(num_images: int = 2, side: int = 64) -> NDArray[np.uint8]:
    """Return images [N, side, side, 3] uint8 of noise, the same every time."""
    return np.random.default_rng(0).integers(0, 256, (num_images, side, side, 3), dtype=np.uint8)


class SmallCNN(GalaxyNetwork):
    """A convolution to [B, 4, 8, 8], ReLU, the mean over the map, and 37 sigmoids.

    seen: what each pixel is multiplied by, [16, 16]; the network sees all pixels if not given.
    """

    image_side = 16

    def __init__(self, seen: Tensor | None = None) -> None:
        """Draw the weights, which are the same every time."""
        super().__init__()
        torch.manual_seed(0)
        self.seen = torch.ones(16, 16) if seen is None else seen
        self.convolution = nn.Conv2d(3, 4, 3, stride=2, padding=1, bias=False)
        self.output = nn.Linear(4, NUM_ANSWERS)

    def forward(self, images: Tensor) -> Tensor:
        """Map images [B, 3, 16, 16] to fractions [B, 37]."""
        mapped = F.relu(self.convolution(images * self.seen))
        return torch.sigmoid(self.output(mapped.mean(dim=(2, 3))))
