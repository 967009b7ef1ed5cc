"""The eight symmetries of the square, under which the shape of a galaxy is the same."""

from collections.abc import Iterator
from typing import Literal

import torch
from torch import Tensor

NumViews = Literal[1, 8]


def views(images: Tensor, num: NumViews) -> Iterator[Tensor]:
    """Yield the images [B, C, S, S] alone, or their eight rotations by 90 degrees and mirrorings.

    The first view is `images` itself; every view has the shape of `images` and is made by moving
    pixels, without interpolation. num: 1 or 8.
    """
    yield images
    for number in range(1, num):
        turned = torch.rot90(images, number % 4, (2, 3))
        turned = turned.flip(3) if number >= 4 else turned
        yield turned.contiguous(memory_format=torch.channels_last)
