"""Images cut to their centre and reduced, pixel for pixel as in the notebooks."""

from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from search_spaces.declaration import InvalidInput
from trainables.galaxies.image_decoding import decode_image

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".jfif", ".png", ".tif", ".tiff", ".webp")


def read_image(source: Path | IO[bytes], *, crop: int, side: int) -> NDArray[np.uint8]:
    """Read one image file as RGB pixels [side, side, 3] uint8; the array may be read-only.

    source: a path, or an open binary file, which stays open; see `decode_image` for the files that
    are read. crop, side: in pixels, at least 1. An image that is `side` pixels wide and high is
    returned unchanged. Any other image is cut to its centre and resized, as `cut_image` does.

    InvalidInput is raised if `decode_image` refuses the file, or if an image is not of `side` x
    `side` pixels and is narrower or lower than the crop.
    """
    return _fitted(decode_image(source), crop=crop, side=side)


def fitted_image(pixels: NDArray[np.uint8], *, crop: int, side: int) -> NDArray[np.uint8]:
    """Return pixels [H, W, 3] uint8 cut and resized to [side, side, 3], as `read_image` does.

    crop: side of the central square that is kept, in pixels. side: side of the result, in pixels.
    Pixels [side, side, 3] are returned as they are, not as a copy; any other result is a copy and
    may be read-only. InvalidInput is raised if the pixels have another type or shape, or if an
    image is not of `side` x `side` pixels and is narrower or lower than the crop.
    """
    image = image_of(pixels)
    if pixels.shape[:2] == (side, side):
        return np.asarray(pixels)
    return _fitted(image, crop=crop, side=side)


def image_of(pixels: NDArray[np.uint8]) -> Image.Image:
    """Return pixels [H, W, 3] uint8 as a PIL image of mode RGB.

    InvalidInput is raised if the pixels have another type or shape, or if there is none.
    """
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8 or not pixels.size:
        raise InvalidInput(
            f"an image must be uint8 [H, W, 3], got {pixels.dtype} {list(pixels.shape)}"
        )
    return Image.fromarray(np.ascontiguousarray(pixels))


def cut_image(image: Image.Image, *, crop: int, side: int) -> NDArray[np.uint8]:
    """Return the centre of an image, cut to `crop` x `crop` pixels and resized to [side, side, 3].

    image: in PIL's mode RGB, at least `crop` pixels wide and high. crop, side: in pixels, at least
    1. PIL's bicubic filter resizes. The pixels are uint8 and may be read-only.
    """
    width, height = image.size
    left, top = (width - crop) // 2, (height - crop) // 2
    if (width, height) != (crop, crop):
        image = image.crop((left, top, left + crop, top + crop))
    if crop != side:
        image = image.resize((side, side), Image.Resampling.BICUBIC)
    return np.asarray(image, dtype=np.uint8)


def _fitted(image: Image.Image, *, crop: int, side: int) -> NDArray[np.uint8]:
    """Return an image as pixels [side, side, 3] uint8, cut and resized unless it has that size.

    image: in PIL's mode RGB. An image that must be cut and is narrower or lower than `crop` pixels
    raises InvalidInput.
    """
    width, height = image.size
    if (width, height) == (side, side):
        return np.asarray(image, dtype=np.uint8)
    if min(width, height) < crop:
        raise InvalidInput(
            f"{width}x{height} pixels is smaller than the crop of {crop} (only an image of "
            f"{side}x{side} pixels needs no crop)"
        )
    return cut_image(image, crop=crop, side=side)
