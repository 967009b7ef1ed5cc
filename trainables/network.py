"""What all networks have in common: images in, 37 vote fractions out."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

IMAGE_SIDE = 64  # pixels; what the student project's own networks were built for


@dataclass(frozen=True)
class ParameterGroup:
    """Parameters that train at `factor` times the config's learning rate."""

    parameters: tuple[nn.Parameter, ...]
    factor: float = 1.0


class GalaxyNetwork(nn.Module):
    """A network that maps images [B, 3, S, S] in 0..1 to vote fractions [B, 37] in 0..1.

    image_side: S, in pixels. has_frozen_features: whether `features` gives the same numbers
    for an image throughout the training, so that they may be kept.
    """

    image_side: int = IMAGE_SIDE
    has_frozen_features: bool = False

    def regularisation(self) -> Tensor:
        """The term that the network's own regularisers add to the loss; a scalar, here 0."""
        return torch.zeros((), device=next(self.parameters()).device)

    def parameter_groups(self) -> list[ParameterGroup]:
        """What is trained, and how fast."""
        return [ParameterGroup(tuple(p for p in self.parameters() if p.requires_grad))]

    def frozen_names(self) -> set[str]:
        """Names in the state_dict of what training does not change; here none."""
        return set()

    def features(self, images: Tensor) -> Tensor:
        """What the head reads of images, [B, F]; only where `has_frozen_features`."""
        raise TypeError(f"{type(self).__name__} keeps no frozen features")

    def head(self, features: Tensor) -> Tensor:
        """Vote fractions [B, 37] for what `features` returned."""
        raise TypeError(f"{type(self).__name__} keeps no frozen features")

    def explained_layer(self) -> nn.Module:
        """The layer whose map [B, C, h, w] Grad-CAM weighs: here the last convolution."""
        convolutions = [m for m in self.modules() if isinstance(m, nn.Conv2d)]
        return convolutions[-1]


def vote_fractions(output: nn.Linear, features: Tensor) -> Tensor:
    """Map features [B, F] to fractions [B, 37] by a layer and a sigmoid.

    In the weights' own precision even where the rest computes in a lower one: the last rounding
    is not averaged over anything, and the layer is too small to matter.
    """
    with torch.autocast(features.device.type, enabled=False):
        return torch.sigmoid(output(features.to(output.weight.dtype)))


def scaled(channels: int, width: float) -> int:
    """A channel count times the width factor, at least 1."""
    return max(1, round(channels * width))
