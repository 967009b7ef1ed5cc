"""The parallel CNN: two paths of kernel 6 and 3 over the image, joined, then three stages.

At width 1 and 64 pixels the network has 1,160,165 parameters as Keras counts them, 1,159,653 of
them trainable.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from search_spaces.parallel_cnn import Config
from trainables.layers import (
    Dropout,
    GalaxyNetwork,
    SameConv2d,
    VoteLayer,
    batch_norm,
    initialise_as_keras,
    scaled,
)

SOURCE = "student project, Parallel_CNN.ipynb (own design)"


class ParallelCNN(GalaxyNetwork):
    """A network that maps images [B, 3, S, S] in 0..1 to vote fractions [B, 37].

    image_side: S, the config's `input_side`.
    kernel_l2: the factor of `regularisation`, a scalar tensor that is not in the state_dict. A
    number would not do, because networks with different factors must be stackable.
    """

    kernel_l2: Tensor

    def __init__(self, config: Config) -> None:
        """Build the untrained layers with `config.width` times the published channels.

        The weights are drawn from torch's global random state.
        """
        super().__init__()
        self.image_side = config.input_side
        c64, c128, c256 = (scaled(n, config.width) for n in (64, 128, 256))
        drop = config.convolution_dropout
        self.paths = nn.ModuleList([_path(kernel, c64, c128, drop) for kernel in (6, 3)])
        self.stages = nn.Sequential(
            _stage(2 * c128, c128, drop),  # S = 64: 31 -> 15 pixels
            _stage(c128, c64, drop),  # 15 -> 7
            _stage(c64, c64, drop),  # 7 -> 3
        )
        map_side = _after_path(config.input_side) // 2 ** len(self.stages)
        self.dense = nn.ModuleList(
            [nn.Linear(map_side**2 * c64, c256), nn.Linear(c256, c128), nn.Linear(c128, c64)]
        )
        self.dropout = Dropout(config.dense_dropout)
        self.output = VoteLayer(c64, config.head)
        self.register_buffer("kernel_l2", torch.tensor(config.kernel_l2), persistent=False)
        initialise_as_keras(self)

    def forward(self, images: Tensor) -> Tensor:
        """Map images [B, 3, S, S] in 0..1 to vote fractions [B, 37] in 0..1."""
        # S = 64: [B, 256, 31, 31], then [B, 576]
        features = torch.cat([path(images) for path in self.paths], dim=1)
        features = self.stages(features).flatten(1)
        for layer in self.dense:
            features = F.relu(layer(features))
        votes: Tensor = self.output(self.dropout(features))
        return votes

    def regularisation(self) -> Tensor:
        """Return kernel_l2 times the sum of the squared weights of the three hidden dense layers.

        The result is a scalar tensor that is added to the loss. Biases and the output layer are
        left out.
        """
        kernels = [layer.weight for layer in self.dense if isinstance(layer, nn.Linear)]
        return self.kernel_l2 * torch.stack([kernel.square().sum() for kernel in kernels]).sum()


def _after_path(side: int) -> int:
    """Return the side of a path's map of images of `side` pixels, at least 3."""
    return (side - 3) // 2 + 1


def _path(kernel: int, first: int, last: int, dropout: float) -> nn.Sequential:
    """Return a path that maps images [B, 3, S, S] to [B, last, s, s], s = `_after_path(S)`.

    kernel: width and height of the kernels in pixels. first: number of channels of the first two
    of the three convolutions. last: number of channels of the third convolution. dropout: dropout
    rate at the end of the path.
    """
    return nn.Sequential(
        SameConv2d(3, first, kernel),
        SameConv2d(first, first, kernel),
        SameConv2d(first, last, kernel),
        batch_norm(last),  # after the ReLU, as in the notebook
        nn.MaxPool2d(3, stride=2),  # 64 -> 31 pixels
        Dropout(dropout),
    )


def _stage(in_channels: int, out_channels: int, dropout: float) -> nn.Sequential:
    """Return a stage that maps [B, in_channels, H, W] to [B, out_channels, H // 2, W // 2].

    The stage is a convolution of kernel 3, max-pooling over 2 x 2 values, a ReLU and dropout.
    dropout: dropout rate at the end of the stage.
    """
    return nn.Sequential(
        SameConv2d(in_channels, out_channels, 3, rectified=False),
        nn.MaxPool2d(2),
        nn.ReLU(),  # gives the same after the maximum, where only a quarter of the values is left
        Dropout(dropout),
    )


def build(config: Config) -> ParallelCNN:
    """Return the untrained network of a config, with weights from torch's global random state."""
    return ParallelCNN(config)
