"""Formats of images that are not read, known by a file's suffix or content."""

from pathlib import Path, PurePosixPath

from PIL import Image, UnidentifiedImageError

from trainables.files import DAMAGE

_BY_SUFFIX = {
    **dict.fromkeys((".fits", ".fit", ".fts", ".fz"), "FITS"),
    **dict.fromkeys((".heic", ".heif"), "HEIC"),
    **dict.fromkeys((".jp2", ".j2k", ".jxl"), "JPEG 2000 or JPEG XL"),
    **{
        suffix: suffix[1:].upper()
        for suffix in ".gif .bmp .svg .psd .npy .eps .avif .ppm .pgm .pnm .tga".split()
    },
}
_BRANDS = {b"heic": "HEIC", b"heix": "HEIC", b"mif1": "HEIC", b"avif": "AVIF"}


def why_not_read(name: str) -> str | None:
    """Return why an image of this file name is not read; None if its suffix is none of these."""
    known = _BY_SUFFIX.get(PurePosixPath(name).suffix.lower())
    return None if known is None else _told(known)


def why_content_not_read(path: Path, head: bytes) -> str | None:
    """Return why a file that is no JPEG, PNG, TIFF or WebP is not read, if it is an image.

    head: the first 12 bytes of the file or more. None means that the file is no image that Pillow
    knows.
    """
    if head[4:8] == b"ftyp":
        return _told(_BRANDS.get(head[8:12], "HEIC or a video"))
    try:
        with Image.open(path) as image:
            return _told(image.format or "this format")
    except (*DAMAGE, UnidentifiedImageError, Image.DecompressionBombError, TypeError):
        return None


def _told(known: str) -> str:
    """Return the reason with the name of the format."""
    return f"{known} is not read; give JPEG, PNG, TIFF or WebP"
