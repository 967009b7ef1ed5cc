"""The steps from stored pixels to a network's input: floats in 0..1 of the network's size.

Large images are reduced before augmentation and small images are enlarged after augmentation, so
that augmentation works on the smaller image.
"""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor


def sent(array: NDArray[Any], device: torch.device) -> Tensor:
    """Return an array as a tensor of the same shape and type on `device`.

    On a CPU the tensor shares the array's memory: a change of one changes the other. On a GPU the
    tensor is a copy. The copy runs in the background: the GPU's later operations see the whole
    copy, but the function does not wait for its end. The array may be changed at once.
    """
    tensor = torch.from_numpy(array)
    if device.type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


def to_images(pixels: NDArray[np.uint8], device: torch.device, side: int) -> Tensor:
    """Map pixels [B, S, S, 3] uint8 to images [B, 3, s, s] float32 in 0..1 on `device`.

    side: the network's image side in pixels. The images have s = min(S, side) (see `as_images`).
    `pixels` is not changed.
    """
    return as_images(sent(pixels, device), side)


def as_images(pixels: Tensor, side: int) -> Tensor:
    """Map pixels [B, S, S, 3] uint8, a tensor, to images [B, 3, s, s] float32 in 0..1.

    side: the network's image side in pixels. Larger images are reduced, so that s = min(S, side);
    smaller images keep their size. The images are a copy on the device of the pixels. The channels
    stay last in memory, because convolutions on CPUs and on recent GPUs are faster in this order.
    """
    return reduced(pixels.permute(0, 3, 1, 2).float().div_(255), side)


def reduced(images: Tensor, side: int) -> Tensor:
    """Map images [B, 3, S, S] float to images [B, 3, s, s] with s = min(S, side).

    side: in pixels. Images with S > side are reduced by bilinear interpolation with antialiasing.
    Otherwise `images` itself is returned.
    """
    if images.shape[-1] > side:
        images = F.interpolate(images, size=(side, side), mode="bilinear", antialias=True)
    return images


def enlarged(images: Tensor, side: int) -> Tensor:
    """Map images [B, 3, s, s] float with s <= side to images [B, 3, side, side].

    side: in pixels. Images with s < side are enlarged by bilinear interpolation, as in the
    notebooks. Images with s > side keep their size. The result has the channels last in memory; it
    is `images` itself if neither the size nor the order in memory changes.
    """
    if images.shape[-1] < side:
        images = F.interpolate(images, size=(side, side), mode="bilinear")
    return images.contiguous(memory_format=torch.channels_last)


def moved(images: Tensor, matrices: Tensor) -> Tensor:
    """Return images [B, C, S, S] moved by affine matrices [B, 2, 3], as new images [B, C, S, S].

    images: float. matrices: one for each image, on any device. A matrix maps the coordinates
    (x, y, 1) of an output pixel to the coordinates (x, y) of the input that are shown there. x
    grows with the column and y with the row; -1 and 1 are the outer edges of the image. Values
    between pixels are interpolated bilinearly. Pixels from outside an image are copies of the
    nearest border pixel.
    """
    places = _places(matrices.to(images.device), images.shape[-1])
    return F.grid_sample(
        images, places.to(images.dtype), padding_mode="border", align_corners=False
    )


def brightened(images: Tensor, factors: Tensor) -> Tensor:
    """Return images [B, C, S, S] in 0..1 times factors [B] of their own; values above 1 become 1.

    factors: 0 or more, on the device of the images.
    """
    return (images * factors.to(images.dtype)[:, None, None, None]).clamp_max(1)


def _places(matrices: Tensor, side: int) -> Tensor:
    """Return the input coordinates (x, y) of each output pixel, [B, side, side, 2].

    The image spans -1..1; coordinates beyond -1 or 1 lie outside the image. matrices: affine maps
    [B, 2, 3] from output to input coordinates. side: of the output, in pixels. The result equals
    that of `F.affine_grid`, up to rounding. The parts of the columns and of the rows are each
    computed once and then added, which takes a fiftieth of the time of `F.affine_grid` on a CPU.
    """
    middles = (2 * torch.arange(side, device=matrices.device) + 1) / side - 1
    by_column = matrices[:, :, 0, None, None] * middles  # [B, 2, 1, side]
    by_row = matrices[:, :, 1, None, None] * middles[:, None] + matrices[:, :, 2, None, None]
    return (by_column + by_row).permute(0, 2, 3, 1)
