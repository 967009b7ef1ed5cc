"""What all networks have in common: images in, 37 vote fractions out."""

import torch
from torch import Tensor, nn

IMAGE_SIDE = 64  # pixels; what the student project's networks were built for


class GalaxyNetwork(nn.Module):
    """A network that maps images [B, 3, 64, 64] in 0..1 to vote fractions [B, 37] in 0..1."""

    def regularisation(self) -> Tensor:
        """The term that the network's own regularisers add to the loss; a scalar, here 0."""
        return torch.zeros((), device=next(self.parameters()).device)


def scaled(channels: int, width: float) -> int:
    """A channel count times the width factor, at least 1."""
    return max(1, round(channels * width))
