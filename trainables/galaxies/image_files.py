"""JPEG and PNG files: decode, cut out the centre, reduce. The seed's pipeline, pixel for pixel."""

from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from trainables.galaxies.damage import DAMAGE, one_line

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")


def read_image(source: Path | IO[bytes], *, crop: int, side: int) -> NDArray[np.uint8]:
    """Read one image as [side, side, 3] uint8.

    An image that is `side` pixels already is taken as it is; of any other the central `crop`
    pixels are reduced by PIL's bicubic filter. ValueError if it cannot be decoded or is smaller
    than the crop.
    """
    try:
        with Image.open(source) as opened:
            image = opened.convert("RGB")
    except (*DAMAGE, Image.DecompressionBombError) as error:
        raise ValueError(f"not a readable image ({one_line(error)})") from None
    width, height = image.size
    if (width, height) != (side, side):
        if min(width, height) < crop:
            raise ValueError(f"{width}x{height} pixels is smaller than the crop of {crop}")
        left, top = (width - crop) // 2, (height - crop) // 2
        image = image.crop((left, top, left + crop, top + crop))
        image = image.resize((side, side), Image.Resampling.BICUBIC)
    return np.asarray(image, dtype=np.uint8)
