"""The parallel CNN: two paths of kernel 6 and 3 over the image, joined, then three stages.

1,160,165 parameters at width 1 as Keras counts them, 1,159,653 of them trainable.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from search_spaces.parallel_cnn import Config
from trainables.decision_tree import NUM_ANSWERS
from trainables.dropout import Dropout
from trainables.keras_layers import SameConv2d, batch_norm, initialise_as_keras
from trainables.network import GalaxyNetwork, scaled, vote_fractions

SOURCE = "student project, Parallel_CNN.ipynb (own design)"


class ParallelCNN(GalaxyNetwork):
    """Map images [B, 3, 64, 64] in 0..1 to vote fractions [B, 37]."""

    kernel_l2: Tensor  # not a plain number, so that networks which differ in it can be stacked

    def __init__(self, config: Config) -> None:
        """Channels are the published ones times `config.width`."""
        super().__init__()
        c64, c128, c256 = (scaled(n, config.width) for n in (64, 128, 256))
        drop = config.convolution_dropout
        self.paths = nn.ModuleList([_path(kernel, c64, c128, drop) for kernel in (6, 3)])
        self.stages = nn.Sequential(
            _stage(2 * c128, c128, drop),  # 31 -> 15
            _stage(c128, c64, drop),  # 15 -> 7
            _stage(c64, c64, drop),  # 7 -> 3
        )
        self.dense = nn.ModuleList(
            [nn.Linear(9 * c64, c256), nn.Linear(c256, c128), nn.Linear(c128, c64)]
        )
        self.dropout = Dropout(config.dense_dropout)
        self.output = nn.Linear(c64, NUM_ANSWERS)
        self.register_buffer("kernel_l2", torch.tensor(config.kernel_l2), persistent=False)
        initialise_as_keras(self)

    def forward(self, images: Tensor) -> Tensor:
        """Map [B, 3, 64, 64] to [B, 37]."""
        features = torch.cat([path(images) for path in self.paths], dim=1)  # [B, 256, 31, 31]
        features = self.stages(features).flatten(1)  # [B, 576]
        for layer in self.dense:
            features = F.relu(layer(features))
        return vote_fractions(self.output, self.dropout(features))

    def regularisation(self) -> Tensor:
        """kernel_l2 x sum of the squared kernels of the three dense layers, biases left out."""
        kernels = [layer.weight for layer in self.dense if isinstance(layer, nn.Linear)]
        return self.kernel_l2 * torch.stack([kernel.square().sum() for kernel in kernels]).sum()


def _path(kernel: int, first: int, last: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        SameConv2d(3, first, kernel),
        SameConv2d(first, first, kernel),
        SameConv2d(first, last, kernel),
        batch_norm(last),  # after the ReLU, as the notebook has it
        nn.MaxPool2d(3, stride=2),  # 64 -> 31, no padding
        Dropout(dropout),
    )


def _stage(in_channels: int, out_channels: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        SameConv2d(in_channels, out_channels, 3, rectified=False),
        nn.MaxPool2d(2),
        nn.ReLU(),  # commutes with the maximum, and a quarter of the values is left to it here
        Dropout(dropout),
    )


def build(config: Config) -> ParallelCNN:
    """The untrained network."""
    return ParallelCNN(config)
