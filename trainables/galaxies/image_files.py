"""JPEG and PNG files: decoding, centre crop and reduction, pixel for pixel as in the notebooks."""

from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from search_spaces.declaration import InvalidInput
from trainables.files import DAMAGE, one_line

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")


def read_image(source: Path | IO[bytes], *, crop: int, side: int) -> NDArray[np.uint8]:
    """Read one image file as RGB pixels [side, side, 3] uint8; the array may be read-only.

    source: a path, or an open binary file, which stays open. crop, side: in pixels, at least 1. An
    image that is `side` pixels wide and high is returned unchanged. Any other image is cut to the
    central `crop` x `crop` pixels and then resized to `side` by PIL's bicubic filter. Grey images
    get three equal channels. Transparency is ignored, and values above 255 become 255.

    InvalidInput is raised if a file is missing or cannot be decoded, or if an image is not of
    `side` x `side` pixels and is narrower or lower than the crop.
    """
    try:
        with Image.open(source) as opened:
            image = opened.convert("RGB")
    except (*DAMAGE, Image.DecompressionBombError) as error:
        raise InvalidInput(f"not a readable image ({one_line(error)})") from None
    return _fitted(image, crop=crop, side=side)


def fitted_image(pixels: NDArray[np.uint8], *, crop: int, side: int) -> NDArray[np.uint8]:
    """Return pixels [H, W, 3] uint8 cut and resized to [side, side, 3], as `read_image` does.

    crop: side of the central square that is kept, in pixels. side: side of the result, in pixels.
    Pixels [side, side, 3] are returned as they are, not as a copy; any other result is a copy and
    may be read-only. InvalidInput is raised if the pixels have another type or shape, or if an
    image is not of `side` x `side` pixels and is narrower or lower than the crop.
    """
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
        raise InvalidInput(
            f"an image must be uint8 [H, W, 3], got {pixels.dtype} {list(pixels.shape)}"
        )
    if pixels.shape[:2] == (side, side):
        return np.asarray(pixels)
    return _fitted(Image.fromarray(pixels), crop=crop, side=side)


def _fitted(image: Image.Image, *, crop: int, side: int) -> NDArray[np.uint8]:
    """Return an image as pixels [side, side, 3] uint8, cut and resized unless it has that size.

    image: in PIL's mode RGB. An image that must be cut and is narrower or lower than `crop` pixels
    raises InvalidInput.
    """
    width, height = image.size
    if (width, height) != (side, side):
        if min(width, height) < crop:
            raise InvalidInput(
                f"{width}x{height} pixels is smaller than the crop of {crop} (only an image of "
                f"{side}x{side} pixels needs no crop)"
            )
        left, top = (width - crop) // 2, (height - crop) // 2
        image = image.crop((left, top, left + crop, top + crop))
        image = image.resize((side, side), Image.Resampling.BICUBIC)
    return np.asarray(image, dtype=np.uint8)
