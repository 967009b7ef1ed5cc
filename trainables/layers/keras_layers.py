"""The differences of Keras from torch: padding, BatchNorm constants, initialisation, counts."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

BATCH_NORM_EPSILON = 1e-3  # Keras; torch has 1e-5
BATCH_NORM_MOMENTUM = 0.01  # Keras' 0.99 is the share kept, torch's momentum the share replaced


class SameConv2d(nn.Module):
    """A convolution of stride 1 with Keras' 'same' padding: [B, C, H, W] -> [B, D, H, W].

    The border is filled with zeros. An even kernel needs uneven padding; the extra row and column
    are at the bottom and on the right.

    convolution: the convolution itself, an nn.Conv2d.
    rectified: True if a ReLU follows the convolution.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel: int, *, rectified: bool = True
    ) -> None:
        """Build the convolution, with torch's initial weights; `kernel` is its side in pixels.

        in_channels, out_channels: the numbers of channels, C and D. rectified: True adds a ReLU.
        """
        super().__init__()
        before = (kernel - 1) // 2
        self._extra = kernel - 1 - 2 * before  # Conv2d pads evenly, so this pads the end
        self.convolution = nn.Conv2d(in_channels, out_channels, kernel, padding=before)
        self.rectified = rectified

    def forward(self, images: Tensor) -> Tensor:
        """Map [B, C, H, W] to [B, D, H, W], which are at least 0 if `rectified` is True."""
        if self._extra:
            images = F.pad(images, (0, self._extra, 0, self._extra))
        mapped: Tensor = self.convolution(images)
        return F.relu(mapped) if self.rectified else mapped


def batch_norm(channels: int) -> nn.BatchNorm2d:
    """Return a BatchNorm2d for `channels` channels, with Keras' epsilon and momentum."""
    return nn.BatchNorm2d(channels, eps=BATCH_NORM_EPSILON, momentum=BATCH_NORM_MOMENTUM)


def initialise_as_keras(network: nn.Module) -> None:
    """Initialise a network's convolutions and dense layers in place, as Keras does by default.

    The layers are all nn.Conv2d and nn.Linear; other layers stay as they are. Kernels are drawn
    Glorot-uniformly from torch's global random state, and biases are set to 0.
    """
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def count_parameters(network: nn.Module) -> tuple[int, int]:
    """Return the numbers (total, trainable) of a network's parameters, as Keras counts.

    Trainable parameters are those that require a gradient. The running mean and variance of each
    BatchNorm2d belong to the total.
    """
    trainable = sum(p.numel() for p in network.parameters() if p.requires_grad)
    frozen = sum(p.numel() for p in network.parameters() if not p.requires_grad)
    moving = sum(
        statistic.numel()
        for module in network.modules()
        if isinstance(module, nn.BatchNorm2d)
        for statistic in (module.running_mean, module.running_var)
        if isinstance(statistic, torch.Tensor)
    )
    return trainable + frozen + moving, trainable
