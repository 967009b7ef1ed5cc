"""The images of a galaxy file without the votes, as predictions need them."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search_spaces.declaration import InvalidInput
from trainables.galaxies.npz_file import (
    check_images,
    map_images,
    members_of,
    naming,
    read_array,
    read_crop,
)


@dataclass(frozen=True)
class GalaxyImages:
    """The images of N galaxies, whose votes may be unknown.

    images: pixels [N, S, S, 3] uint8, mapped read-only. ids: a text for each galaxy, exactly as
    the file stores the id, each different; the row numbers from 0 if the file has no ids. crop:
    width and height of the square that was cut from the survey's image, in pixels; None if the
    file does not record it.
    """

    images: NDArray[np.uint8]
    ids: tuple[str, ...]
    crop: int | None

    def __len__(self) -> int:
        """Return the number of galaxies, N."""
        return len(self.ids)


def open_images(path: Path) -> GalaxyImages:
    """Return the images of a galaxy file with or without votes, mapped read-only.

    The array `images` is needed, `ids` and `crop` are optional, and all others are not read.
    Compressed images are first unpacked into the folder of `cache_folder`, if they are not there.

    InvalidInput is raised, with one line, if the file is missing, is damaged or cannot be read, if
    the images are not uint8 [N, S, S, 3], or if the ids are not N whole numbers or texts that are
    all different and not empty. PermissionError is raised if the file's folder may not be entered.
    """
    members = members_of(path)
    with naming(path):
        images = map_images(path, members["images"])
        crop = read_crop(path, members)
    check_images(path, images)
    ids = None
    if "ids" in members:
        with naming(path):
            ids = _texts(_read_ids(path, members), len(images))
    return GalaxyImages(images, ids or tuple(map(str, range(len(images)))), crop)


def _read_ids(path: Path, members: dict[str, Any]) -> NDArray[Any]:
    """Return the array `ids`; InvalidInput is raised if it holds Python objects.

    An error of DAMAGE is raised if the array is damaged.
    """
    try:
        ids = read_array(path, members, "ids")
    except ValueError as error:
        if "Object arrays" not in str(error):
            raise
        raise InvalidInput(
            "ids holds Python objects; save the ids as text, such as ids.astype(str)"
        ) from None
    assert ids is not None
    return ids


def _texts(ids: NDArray[Any], length: int) -> tuple[str, ...]:
    """Return ids [length] as texts; InvalidInput unless all are different, exact and not empty."""
    if ids.shape != (length,):
        raise InvalidInput(f"ids has shape {ids.shape}, not ({length},)")
    if ids.dtype.kind == "S":
        try:
            texts = [one.decode() for one in ids.tolist()]
        except UnicodeDecodeError as error:
            raise InvalidInput(f"ids holds bytes that are no UTF-8 text ({error})") from None
    elif ids.dtype.kind in "iuU":
        texts = [str(one) for one in ids.tolist()]
    else:
        raise InvalidInput(
            f"ids must be whole numbers or texts, got {ids.dtype}; a {ids.dtype} does not keep "
            "every galaxy id exactly"
        )
    for row, text in enumerate(texts):
        if not text.strip():
            raise InvalidInput(f"row {row} (counted from 0) has no id; the id is empty")
    most, times = Counter(texts).most_common(1)[0]
    if times > 1:
        raise InvalidInput(f"ids holds {most!r} {times} times; each id may occur once")
    return tuple(texts)
