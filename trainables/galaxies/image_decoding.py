"""Image files decoded to RGB pixels of 8 bits, whatever kind of pixels the files hold.

Whatever has no exact counterpart in RGB pixels of 8 bits is refused by name: floating-point
numbers, whole numbers of 32 bits, print colours and several images in one file.
"""

import re
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from search_spaces.declaration import InvalidInput
from trainables.files import DAMAGE, one_line

_FORMATS = ("JPEG", "MPO", "PNG", "TIFF", "WEBP")  # a camera's JPEG with previews is an MPO
# What Pillow raises, beyond DAMAGE, for files whose bytes contradict each other.
_FAULTS = (LookupError, TypeError, ArithmeticError, AssertionError, AttributeError, MemoryError)
_BITS_PER_SAMPLE, _PHOTOMETRIC, _WHITE_IS_ZERO = 258, 262, 0  # two tags of TIFF, and a value
_BYTES_MISSING = re.compile(r" \(\d+ bytes not processed\)")
_REFUSED_MODES = {
    "I": "holds whole numbers of 32 bits, or with a sign, whose white is unknown; "
    "save it with 8 or 16 bits a channel",
    "F": "holds floating-point numbers, whose white is unknown; "
    "save it with 8 or 16 bits a channel",
}


def decode_image(source: Path | IO[bytes]) -> Image.Image:
    """Return the image in a file as a PIL image of mode RGB, with 8 bits a channel.

    source: a path, or an open binary file, which stays open. JPEG, PNG, TIFF and WebP files are
    read by their content, whatever their names. Grey images get three equal channels. Of channels
    with 16 bits the upper 8 are taken, so that 65535 becomes 255. Transparent pixels are blended
    with black, the colour of the sky. Colour profiles, and the orientation that a camera notes in
    EXIF data, are ignored.

    InvalidInput is raised if a file is missing, damaged, cut short or of another format, or if it
    holds several images, or pixels without an exact counterpart: floating-point numbers, whole
    numbers of 32 bits, and colours that are not RGB, such as CMYK.
    """
    try:
        with Image.open(source) as opened:
            reason = _why_refused(opened)
            if reason is None:
                return _as_rgb(opened)
    except UnidentifiedImageError:
        reason = "not a readable image (it is no JPEG, PNG, TIFF or WebP file)"
    except Image.DecompressionBombError:
        most = 2 * (Image.MAX_IMAGE_PIXELS or 0)  # Pillow warns from half of it on
        reason = f"has more than {most:,} pixels; cut out the galaxy"
    except (*DAMAGE, *_FAULTS) as error:
        told = _BYTES_MISSING.sub("", one_line(error))  # the same text for all files cut short
        reason = f"not a readable image ({told})"
    raise InvalidInput(reason)


def _why_refused(image: Image.Image) -> str | None:
    """Return why an image that is opened, but not decoded, is refused, or None if it is read."""
    if image.format not in _FORMATS:
        return f"{image.format} is not read; give JPEG, PNG, TIFF or WebP"
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format != "MPO":
        return f"holds {frames} images in one file; save each image as a file of its own"
    if image.mode in _REFUSED_MODES:
        return _REFUSED_MODES[image.mode]
    if image.mode not in ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "I;16", "I;16B"):
        return f"holds {image.mode} colours; save it as RGB"
    if image.mode == "RGB" and max(_clear_colour(image), default=0) > 255:
        return "has 16 bits a channel and a transparent colour; save it without transparency"
    return None


def _clear_colour(image: Image.Image) -> tuple[int, ...]:
    """Return the colour that a PNG file without alpha channel declares transparent, or ()."""
    colour = image.info.get("transparency")
    if isinstance(colour, int):
        return (colour,)
    return colour if isinstance(colour, tuple) else ()


def _as_rgb(image: Image.Image) -> Image.Image:
    """Return an image that is not refused in mode RGB; see `decode_image`."""
    if image.mode.startswith("I;16"):
        return Image.fromarray(_upper_bits(image)).convert("RGB")
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        sky = Image.new("RGBA", layer.size, (0, 0, 0, 255))
        return Image.alpha_composite(sky, layer).convert("RGB")
    return image.convert("RGB")


def _upper_bits(image: Image.Image) -> NDArray[np.uint8]:
    """Return the pixels [H, W] of a grey image with 12 or 16 bits, reduced to the upper 8 bits."""
    clear = _clear_colour(image)
    tags = getattr(image, "tag_v2", {})
    (bits,) = tags.get(_BITS_PER_SAMPLE, (16,))
    pixels = np.asarray(image).astype(np.uint16)
    if clear:
        pixels[pixels == clear[0]] = 0
    upper = (pixels >> (bits - 8)).astype(np.uint8)
    # Pillow inverts such pixels in files of 8 bits, but not of 16
    return ~upper if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO else upper
