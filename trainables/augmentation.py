"""Random rotation, flip, shift, zoom and shear of a whole batch at once, on its own device."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from search_spaces.declaration.training_protocol import TrainingProtocol
from trainables.image_batches import moved


@dataclass(frozen=True)
class Augmentation:
    """How far each galaxy may be moved; every draw is uniform within plus or minus the value."""

    rotation_degrees: float
    flips: bool
    shift_fraction: float  # of the side
    zoom_fraction: float
    shear_degrees: float

    @classmethod
    def of(cls, config: TrainingProtocol) -> "Augmentation":
        """The config's augmentation, its strength multiplied into shift, zoom and shear."""
        strength = config.augmentation_strength
        return cls(
            rotation_degrees=config.rotation_degrees,
            flips=config.flips,
            shift_fraction=strength * config.shift_fraction,
            zoom_fraction=min(strength * config.zoom_fraction, 0.9),
            shear_degrees=min(strength * config.shear_degrees, 80.0),
        )

    @property
    def does_nothing(self) -> bool:
        """Whether every image would come back as it was."""
        return self == Augmentation(0, False, 0, 0, 0)

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Map images [B, C, S, S] to as many moved ones; border pixels are repeated outwards.

        The draws come from `generator` on the CPU, so a GPU run moves the same galaxies alike.
        """
        if self.does_nothing:
            return images
        return moved(images, self.matrices(len(images), generator))

    def matrices(self, batch: int, generator: torch.Generator) -> Tensor:
        """Affine matrices [B, 2, 3] from output to input coordinates, both in -1..1."""

        def uniform(limit: float) -> Tensor:
            return (2 * torch.rand(batch, generator=generator) - 1) * limit

        angle = uniform(math.radians(self.rotation_degrees))
        shear = uniform(math.radians(self.shear_degrees))
        zoom_x, zoom_y = 1 + uniform(self.zoom_fraction), 1 + uniform(self.zoom_fraction)
        # a shift by a fraction of the side is twice that fraction in coordinates of -1..1
        shift = torch.stack([uniform(2 * self.shift_fraction), uniform(2 * self.shift_fraction)])
        sign = torch.ones(batch)
        if self.flips:
            sign = torch.where(torch.rand(batch, generator=generator) < 0.5, -1.0, 1.0)
        cos, sin = torch.cos(angle), torch.sin(angle)
        rotated = torch.stack([cos, -sin, sin, cos], 1).view(batch, 2, 2)
        zero, one = torch.zeros(batch), torch.ones(batch)
        sheared = torch.stack([one, -torch.sin(shear), zero, torch.cos(shear)], 1)
        zoomed = torch.stack([sign * zoom_x, zero, zero, zoom_y], 1).view(batch, 2, 2)
        linear = rotated @ sheared.view(batch, 2, 2) @ zoomed
        return torch.cat([linear, shift.T.unsqueeze(2)], dim=2)
