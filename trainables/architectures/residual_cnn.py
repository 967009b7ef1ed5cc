"""The residual CNN: a stem that halves the image, and three stages of residual blocks.

At width 1 and depth 2 the network has about 700,000 weights. Blocks: He et al. 2015; the last
BatchNorm of a block begins at 0, so that every block begins as its shortcut.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from search_spaces.residual_cnn import Config
from trainables.layers import (
    Dropout,
    GalaxyNetwork,
    ParameterGroup,
    VoteLayer,
    initialise_as_keras,
    scaled,
)

SOURCE = "galaxytune, after He et al. 2015"

_STEM = 16  # channels at width 1
_STAGES = (32, 64, 128)  # channels at width 1; each stage after the first halves the map


class ResidualCNN(GalaxyNetwork):
    """A network that maps images [B, 3, S, S] in 0..1 to vote fractions [B, 37].

    image_side: S, the config's `input_side`.
    """

    def __init__(self, config: Config) -> None:
        """Build the untrained layers with `config.width` times the channels of width 1.

        The weights are drawn from torch's global random state.
        """
        super().__init__()
        self.image_side = config.input_side
        stem, *stages = (scaled(n, config.width) for n in (_STEM, *_STAGES))
        self.stem = nn.Sequential(_convolution(3, stem, 2), _convolution(stem, stem, 1))
        blocks: list[nn.Module] = []
        before = stem
        for number, channels in enumerate(stages):
            for block in range(config.depth):
                halves = number > 0 and block == 0
                blocks.append(Block(before, channels, 2 if halves else 1))
                before = channels
        self.blocks = nn.Sequential(*blocks)
        self.dropout = Dropout(config.dropout)
        self.output = VoteLayer(before, config.head)
        initialise_as_keras(self)  # as all networks that are not pretrained

    def forward(self, images: Tensor) -> Tensor:
        """Map images [B, 3, S, S] in 0..1 to vote fractions [B, 37] in 0..1."""
        features = self.blocks(self.stem(images)).mean(dim=(2, 3))
        votes: Tensor = self.output(self.dropout(features))
        return votes

    def parameter_groups(self) -> list[ParameterGroup]:
        """Return the kernels and weight matrices, which decay, then the rest, which do not."""
        parameters = list(self.parameters())
        return [
            ParameterGroup(tuple(p for p in parameters if p.ndim > 1)),
            ParameterGroup(tuple(p for p in parameters if p.ndim <= 1), decays=False),
        ]


class Block(nn.Module):
    """A residual block: two convolutions with BatchNorm, added to a shortcut.

    The block maps [B, C, H, W] to [B, D, h, w], with h = H and w = W at stride 1, and
    h = ceil(H / 2) and w = ceil(W / 2) at stride 2.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        """Build the layers for C = `in_channels` and D = `out_channels`; `stride` is 1 or 2."""
        super().__init__()
        last = nn.BatchNorm2d(out_channels)
        nn.init.zeros_(last.weight)
        self.convolutions = nn.Sequential(
            _convolution(in_channels, out_channels, stride),
            nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
            last,
        )
        shortcut: list[nn.Module] = [nn.AvgPool2d(2, ceil_mode=True)] if stride == 2 else []
        if in_channels != out_channels:
            shortcut.append(nn.Conv2d(in_channels, out_channels, 1, bias=False))
            shortcut.append(nn.BatchNorm2d(out_channels))
        self.shortcut = nn.Sequential(*shortcut)

    def forward(self, maps: Tensor) -> Tensor:
        """Map [B, C, H, W] to [B, D, h, w] (see the class)."""
        return F.relu(self.convolutions(maps) + self.shortcut(maps))


def _convolution(in_channels: int, out_channels: int, stride: int) -> nn.Sequential:
    """Return a convolution of kernel 3 without bias, a BatchNorm and a ReLU.

    The layers map [B, in_channels, H, W] to [B, out_channels, h, w] (see `Block`).
    """
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(),
    )


def build(config: Config) -> ResidualCNN:
    """Return the untrained network of a config, with weights from torch's global random state."""
    return ResidualCNN(config)
