"""Random rotation, flip, shift, zoom, shear and brightness of a whole batch of images at once."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from search_spaces.declaration import TrainingProtocol
from trainables.galaxies import brightened, moved


@dataclass(frozen=True)
class Augmentation:
    """The limits of the random movements and of the brightness of each galaxy.

    Every draw is uniform within plus or minus the limit.

    rotation_degrees: limit of the rotation, in degrees.
    flips: True if each galaxy is mirrored left to right with a probability of one half.
    shift_fraction: limit of the shift along each axis, as a fraction of the image's side.
    zoom_fraction: limit of the zoom; the zoom factor is 1 plus the draw, and a factor above 1
        makes the galaxy smaller.
    shear_degrees: limit of the shear, in degrees.
    zooms_alike: True if one zoom is drawn for both axes.
    brightness: limit of the relative change of all pixels, below 1.
    """

    rotation_degrees: float
    flips: bool
    shift_fraction: float
    zoom_fraction: float
    shear_degrees: float
    zooms_alike: bool = False
    brightness: float = 0.0

    @classmethod
    def of(cls, config: TrainingProtocol) -> "Augmentation":
        """Return the augmentation of a config.

        The config's augmentation_strength multiplies the limits of shift, zoom and shear, but not
        that of the rotation, and changes no flips. The zoom fraction is at most 0.9 and the shear
        at most 80 degrees.
        """
        strength = config.augmentation_strength
        return cls(
            rotation_degrees=config.rotation_degrees,
            flips=config.flips,
            shift_fraction=strength * config.shift_fraction,
            zoom_fraction=min(strength * config.zoom_fraction, 0.9),
            shear_degrees=min(strength * config.shear_degrees, 80.0),
            zooms_alike=config.zoom_axes == "alike",
            brightness=config.brightness,
        )

    @property
    def moves(self) -> bool:
        """True if a limit allows a movement."""
        limits = (self.rotation_degrees, self.shift_fraction, self.zoom_fraction)
        return any(limits) or bool(self.shear_degrees) or self.flips

    @property
    def does_nothing(self) -> bool:
        """True if no limit allows any change, so that every image stays unchanged."""
        return not self.moves and not self.brightness

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Map images [B, C, S, S] in 0..1 to as many changed images in 0..1.

        Border pixels are repeated outwards. generator: generator on the CPU from which all changes
        are drawn. A run on a GPU therefore changes the same galaxies in the same way as a run on a
        CPU. The result is a new tensor on the device of the images. If no limit allows any change,
        nothing is drawn and `images` itself is returned.
        """
        movement, brightness = self.drawn(len(images), generator)
        if movement is not None:
            images = moved(images, movement)
        if brightness is not None:
            images = brightened(images, brightness.to(images.device))
        return images

    def drawn(self, batch: int, generator: torch.Generator) -> tuple[Tensor | None, Tensor | None]:
        """Draw the movement of `batch` galaxies, as `matrices` does, and their `factors`.

        A change that no limit allows is None and is not drawn. generator: generator on the CPU.
        """
        movement = self.matrices(batch, generator) if self.moves else None
        return movement, self.factors(batch, generator) if self.brightness else None

    def factors(self, batch: int, generator: torch.Generator) -> Tensor:
        """Draw the factors [B] on the pixels, uniform in 1 +- `brightness`, float32 on the CPU."""
        return 1 + (2 * torch.rand(batch, generator=generator) - 1) * self.brightness

    def matrices(self, batch: int, generator: torch.Generator) -> Tensor:
        """Draw affine matrices [B, 2, 3] that map output coordinates to input coordinates.

        The coordinates are (x, y), and an image spans -1..1 along each axis. batch: the number of
        matrices, B. generator: generator on the CPU. The matrices are float32 on the CPU.
        """

        def uniform(limit: float) -> Tensor:
            return (2 * torch.rand(batch, generator=generator) - 1) * limit

        angle = uniform(math.radians(self.rotation_degrees))
        shear = uniform(math.radians(self.shear_degrees))
        zoom_x = 1 + uniform(self.zoom_fraction)
        zoom_y = zoom_x if self.zooms_alike else 1 + uniform(self.zoom_fraction)
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
