"""The simple CNN of the constraints study: four convolutions and one dense layer.

At width 1 and 64 pixels the network has 522,469 parameters.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from search_spaces.simple_cnn import Config
from trainables.layers import (
    Dropout,
    GalaxyNetwork,
    VoteLayer,
    initialise_as_keras,
    rectified_maximum,
    scaled,
)

SOURCE = "student project, Constraints_Test.ipynb (own design)"


class SimpleCNN(GalaxyNetwork):
    """A network that maps images [B, 3, S, S] in 0..1 to vote fractions [B, 37].

    image_side: S, the config's `input_side`.
    """

    def __init__(self, config: Config) -> None:
        """Build the untrained layers with `config.width` times the published channels.

        The weights are drawn from torch's global random state.
        """
        super().__init__()
        self.image_side = map_side = config.input_side
        channels = [3, *(scaled(n, config.width) for n in (32, 64, 128, 128))]
        self.convolutions = nn.ModuleList(
            [nn.Conv2d(a, b, 3) for a, b in zip(channels, channels[1:])]
        )
        for _ in self.convolutions:
            map_side = (map_side - 2) // 2
        hidden = scaled(512, config.width)
        self.dense = nn.Linear(map_side**2 * channels[-1], hidden)
        self.dropout = Dropout(config.dropout)
        self.output = VoteLayer(hidden, config.head)
        initialise_as_keras(self)

    def forward(self, images: Tensor) -> Tensor:
        """Map images [B, 3, S, S] in 0..1 to vote fractions [B, 37] in 0..1."""
        features = images
        for convolution in self.convolutions:  # S = 64: 31, 14, 6, 2 pixels
            features = rectified_maximum(convolution(features))
        features = F.relu(self.dense(features.flatten(1)))
        votes: Tensor = self.output(self.dropout(features))
        return votes


def build(config: Config) -> SimpleCNN:
    """Return the untrained network of a config, with weights from torch's global random state."""
    return SimpleCNN(config)
