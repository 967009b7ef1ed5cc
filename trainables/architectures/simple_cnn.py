"""The simple CNN of the constraints study: four convolutions and one dense layer.

522,469 parameters at width 1.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from search_spaces.simple_cnn import Config
from trainables.decision_tree import NUM_ANSWERS
from trainables.dropout import Dropout
from trainables.keras_layers import initialise_as_keras
from trainables.network import GalaxyNetwork, scaled, vote_fractions
from trainables.rectified_maximum import rectified_maximum

SOURCE = "student project, Constraints_Test.ipynb (own design)"


class SimpleCNN(GalaxyNetwork):
    """Map images [B, 3, 64, 64] in 0..1 to vote fractions [B, 37]."""

    def __init__(self, config: Config) -> None:
        """Channels are the published ones times `config.width`."""
        super().__init__()
        channels = [3, *(scaled(n, config.width) for n in (32, 64, 128, 128))]
        self.convolutions = nn.ModuleList(
            [nn.Conv2d(a, b, 3) for a, b in zip(channels, channels[1:])]
        )
        hidden = scaled(512, config.width)
        self.dense = nn.Linear(4 * channels[-1], hidden)
        self.dropout = Dropout(config.dropout)
        self.output = nn.Linear(hidden, NUM_ANSWERS)
        initialise_as_keras(self)

    def forward(self, images: Tensor) -> Tensor:
        """Map [B, 3, 64, 64] to [B, 37]."""
        features = images
        for convolution in self.convolutions:  # 64 -> 31 -> 14 -> 6 -> 2
            features = rectified_maximum(convolution(features))
        features = F.relu(self.dense(features.flatten(1)))
        return vote_fractions(self.output, self.dropout(features))


def build(config: Config) -> SimpleCNN:
    """The untrained network."""
    return SimpleCNN(config)
