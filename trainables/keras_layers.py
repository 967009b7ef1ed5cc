"""What Keras does otherwise than torch: padding, BatchNorm constants, initialisation, counts."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

BATCH_NORM_EPSILON = 1e-3  # Keras; torch has 1e-5
BATCH_NORM_MOMENTUM = 0.01  # Keras' 0.99 is the share kept, torch's is the share taken


class SameConv2d(nn.Module):
    """Convolution of stride 1 with Keras' 'same' padding: [B, C, H, W] -> [B, D, H, W].

    An even kernel needs an uneven padding; the extra row and column stand at the bottom right.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel: int, *, rectified: bool = True
    ) -> None:
        """Kernel in pixels; `rectified` says whether a ReLU follows."""
        super().__init__()
        before = (kernel - 1) // 2
        self._extra = kernel - 1 - 2 * before  # behind, which the convolution cannot add by itself
        self.convolution = nn.Conv2d(in_channels, out_channels, kernel, padding=before)
        self.rectified = rectified

    def forward(self, images: Tensor) -> Tensor:
        """Map [B, C, H, W] to [B, D, H, W]."""
        if self._extra:
            images = F.pad(images, (0, self._extra, 0, self._extra))
        mapped: Tensor = self.convolution(images)
        return F.relu(mapped) if self.rectified else mapped


def batch_norm(channels: int) -> nn.BatchNorm2d:
    """BatchNorm2d with Keras' constants."""
    return nn.BatchNorm2d(channels, eps=BATCH_NORM_EPSILON, momentum=BATCH_NORM_MOMENTUM)


def initialise_as_keras(network: nn.Module) -> None:
    """Glorot-uniform kernels and zero biases, Keras' defaults, in place."""
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def count_parameters(network: nn.Module) -> tuple[int, int]:
    """(total, trainable) as Keras counts: BatchNorm's moving statistics belong to the total."""
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
