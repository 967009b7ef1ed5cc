"""From stored pixels to what a network looks at: floats in 0..1, on its device, at its size.

Larger pixels are reduced before augmentation, smaller ones enlarged after it, so that the work
between is done on the smaller image.
"""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor


def sent(array: NDArray[Any], device: torch.device) -> Tensor:
    """An array as a tensor on `device`; on its way to a GPU the host does not wait for it."""
    tensor = torch.from_numpy(array)
    if device.type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


def to_images(pixels: NDArray[np.uint8], device: torch.device, side: int) -> Tensor:
    """Map pixels [B, S, S, 3] uint8 to images [B, 3, s, s] in 0..1 with s = min(S, side)."""
    return as_images(sent(pixels, device), side)


def as_images(pixels: Tensor, side: int) -> Tensor:
    """`to_images` of pixels that are on their device already.

    The channels stay last in memory, as convolutions on CPUs and new GPUs want them.
    """
    images = pixels.permute(0, 3, 1, 2).float().div_(255)
    if images.shape[-1] > side:
        images = F.interpolate(images, size=(side, side), mode="bilinear", antialias=True)
    return images


def enlarged(images: Tensor, side: int) -> Tensor:
    """Map images [B, 3, s, s] to [B, 3, side, side], bilinear as the notebooks did it."""
    if images.shape[-1] < side:
        images = F.interpolate(images, size=(side, side), mode="bilinear")
    return images.contiguous(memory_format=torch.channels_last)


def moved(images: Tensor, matrices: Tensor) -> Tensor:
    """Move images [B, C, S, S] by affine matrices [B, 2, 3]; border pixels repeat outwards.

    The matrices, on any device, lead from output to input coordinates, both in -1..1.
    """
    places = _places(matrices.to(images.device), images.shape[-1])
    return F.grid_sample(
        images, places.to(images.dtype), padding_mode="border", align_corners=False
    )


def _places(matrices: Tensor, side: int) -> Tensor:
    """Where each of side x side pixels comes from, [B, side, side, 2], both in -1..1.

    `F.affine_grid` in other words: a column's part and a row's are each computed once and added,
    a fiftieth of its time on a CPU.
    """
    middles = (2 * torch.arange(side, device=matrices.device) + 1) / side - 1
    by_column = matrices[:, :, 0, None, None] * middles  # [B, 2, 1, side]
    by_row = matrices[:, :, 1, None, None] * middles[:, None] + matrices[:, :, 2, None, None]
    return (by_column + by_row).permute(0, 2, 3, 1)
