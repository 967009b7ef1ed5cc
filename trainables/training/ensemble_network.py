"""A network that averages the vote fractions of several networks."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from trainables.galaxies import enlarged, reduced, seen_part
from trainables.layers import GalaxyNetwork


class EnsembleNetwork(GalaxyNetwork):
    """An average of the vote fractions of several networks, with a weight for each network.

    Each member looks at the part of the ensemble's images that it sees alone, at its own side. The
    part is cut and resized as `predict` cuts and resizes the stored images. The ensemble therefore
    predicts the weighted mean of what its members predict alone, if its images have the size of
    the stored images.

    image_side: the side of the stored images in pixels. The `field_fraction` is 1: the members cut
        the parts that they see.
    members: the networks, an nn.ModuleList.
    weights: the weight of each member, above 0; all weights together are 1.
    """

    def __init__(
        self, members: Sequence[GalaxyNetwork], weights: Sequence[float], image_side: int
    ) -> None:
        """Keep the networks, not copies of them.

        members: at least one network; all are on one device. weights: one number above 0 for each
        network, which is divided by the sum of all. image_side: in pixels. ValueError is raised if
        the numbers of networks and weights differ, or if a weight is not above 0.
        """
        super().__init__()
        if len(members) != len(weights) or not members or min(weights) <= 0:
            raise ValueError(f"{len(members)} networks need as many weights above 0: {weights}")
        self.image_side = image_side
        self.members = nn.ModuleList(members)
        self.weights = tuple(weight / sum(weights) for weight in weights)

    def weighted(self) -> list[tuple[GalaxyNetwork, float]]:
        """Return the members in order, each with its weight."""
        networks = [member for member in self.members if isinstance(member, GalaxyNetwork)]
        return list(zip(networks, self.weights, strict=True))

    def forward(self, images: Tensor) -> Tensor:
        """Map images [B, 3, S, S] in 0..1, S = `image_side`, to vote fractions [B, 37] in 0..1."""
        seen: dict[tuple[int, float], Tensor] = {}
        fractions = []
        for member, weight in self.weighted():
            side, fraction = member.image_side, member.field_fraction
            if (side, fraction) not in seen:
                part = seen_part(images, fraction)
                seen[side, fraction] = enlarged(reduced(part, side), side)
            fractions.append(weight * member(seen[side, fraction]))
        return torch.stack(fractions).sum(dim=0)
