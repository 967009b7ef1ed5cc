"""The steps from stored pixels to a network's input: floats in 0..1 of the network's size.

Large images are reduced before augmentation and small images are enlarged after augmentation, so
that augmentation works on the smaller image. A network that sees only the central part of the
stored images gets its augmented view from the whole stored image in one step: the pixels around
the part come into view, and no pixel is interpolated by a movement and by an enlargement.
"""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from trainables.layers import GalaxyNetwork


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


def network_input(
    network: GalaxyNetwork, pixels: NDArray[np.uint8], device: torch.device
) -> Tensor:
    """Map stored pixels [B, S, S, 3] uint8 to the unmoved images that a network takes.

    The images are [B, 3, s, s] float32 in 0..1 on `device`, with s = `network.image_side`. They
    show the central part of the stored images that the network sees. `pixels` is not changed.
    """
    side = network.image_side
    return enlarged(to_images(pixels, device, side, network.field_fraction), side)


def to_images(
    pixels: NDArray[np.uint8], device: torch.device, side: int, fraction: float = 1.0
) -> Tensor:
    """Map pixels [B, S, S, 3] uint8 to images [B, 3, s, s] float32 in 0..1 on `device`.

    side: the network's image side in pixels. fraction: the network's `field_fraction`. The images
    have s = min(S, side), or fewer pixels for a fraction below 1 (see `as_images`). `pixels` is
    not changed.
    """
    return as_images(sent(pixels, device), side, fraction)


def as_images(pixels: Tensor, side: int, fraction: float = 1.0) -> Tensor:
    """Map pixels [B, S, S, 3] uint8, a tensor, to images [B, 3, s, s] float32 in 0..1.

    side: the network's image side in pixels. fraction: the network's `field_fraction`; the images
    show the central part of p = `seen_side(S, fraction)` pixels. Larger parts are reduced, so that
    s = min(p, side); smaller parts keep their size. The images are a copy on the device of the
    pixels. The channels stay last in memory, because convolutions on CPUs and on recent GPUs are
    faster in this order.
    """
    return reduced(seen_part(pixels.permute(0, 3, 1, 2), fraction).float().div_(255), side)


def seen_side(side: int, fraction: float) -> int:
    """Return how many pixels along each axis of an image of `side` pixels a network sees.

    fraction: the network's `field_fraction`, above 0 and at most 1. The number is the nearest to
    fraction x side that leaves equally many whole pixels on both sides, and at least 1. Therefore
    the part is cut exactly, and its rotations by 90 degrees are the parts of rotated images.
    """
    margin = round((1 - fraction) * side / 2)
    return side - 2 * min(margin, (side - 1) // 2)


def seen_part(images: Tensor, fraction: float) -> Tensor:
    """Return the central part [..., p, p] of images [..., S, S], a view, or `images` itself.

    fraction: the network's `field_fraction`; p = `seen_side(S, fraction)`.
    """
    side = images.shape[-1]
    part = seen_side(side, fraction)
    before = (side - part) // 2
    within = slice(before, before + part)
    return images if part == side else images[..., within, within]


def seen_pixels(pixels: NDArray[np.uint8], fraction: float) -> NDArray[np.uint8]:
    """Return the central part [..., p, p, 3] of pixels [..., S, S, 3], a view.

    fraction: the network's `field_fraction`; p = `seen_side(S, fraction)`.
    """
    side = pixels.shape[-2]
    part = seen_side(side, fraction)
    before = (side - part) // 2
    within = slice(before, before + part)
    return pixels[..., within, within, :]


def changed_images(
    pixels: Tensor,
    side: int,
    *,
    fraction: float = 1.0,
    movement: Tensor | None = None,
    brightness: Tensor | None = None,
) -> Tensor:
    """Map stored pixels [B, S, S, 3] uint8 to moved images [B, 3, s, s] float32 in 0..1.

    side: the network's image side in pixels. fraction: the network's `field_fraction`. movement:
    affine matrices [B, 2, 3] in the coordinates of the part that the network sees (see `moved`),
    or None. brightness: factors [B] on the pixels, or None. s is at most `side`; `enlarged` brings
    the images to `side`. A moved view of a part has s = `side` already, and shows the stored
    pixels from outside the part, as far as there are any.
    """
    whole = pixels.shape[1]
    part = seen_side(whole, fraction)
    if movement is None or part == whole:
        images = as_images(pixels, side, fraction)
        if movement is not None:
            images = moved(images, movement)
    else:
        # The whole image is reduced by as much as the part would be, before it is moved.
        images = as_images(pixels, round(whole * side / part))
        images = moved(images, movement, side=side, fraction=part / whole)
    return images if brightness is None else brightened(images, brightness)


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


def moved(
    images: Tensor, matrices: Tensor, *, side: int | None = None, fraction: float = 1.0
) -> Tensor:
    """Return images [B, C, S, S] moved by affine matrices [B, 2, 3], as new images [B, C, s, s].

    side: s, in pixels; None for S. fraction: the width of the central part that an unmoved view
    shows, as a fraction of the image's side, above 0 and at most 1.

    images: float. matrices: one for each image, on any device. A matrix maps the coordinates
    (x, y, 1) of an output pixel to the coordinates (x, y) of the input that are shown there. x
    grows with the column and y with the row; -1 and 1 are the outer edges of the part. Values
    between pixels are interpolated bilinearly. Pixels from outside an image are copies of the
    nearest border pixel.
    """
    places = _places(matrices.to(images.device), side or images.shape[-1])
    if fraction != 1:
        places = places * fraction
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
