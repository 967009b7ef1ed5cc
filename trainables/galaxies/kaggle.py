"""The construction of a galaxy file from Kaggle's "Galaxy Zoo - The Galaxy Challenge" download."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from search_spaces.declaration import InvalidInput
from trainables.files import check_output_file
from trainables.galaxies.decoded_images import DecodedImages
from trainables.galaxies.image_listing import ImageListing, ListedImage
from trainables.galaxies.kaggle_parts import KaggleParts, kaggle_parts
from trainables.galaxies.npz_writer import check_room, save_galaxy_blocks
from trainables.galaxies.skipped import Skipped, grouped


@dataclass(frozen=True)
class BuildReport:
    """A report of the galaxies that a build wrote and skipped.

    num_galaxies: number of galaxies written. skipped: the images that were not used, with the
    reasons. num_without_image: number of galaxies with votes but without an image. notes: a
    sentence for each file or folder that was passed over because another holds the same.
    """

    num_galaxies: int
    skipped: tuple[Skipped, ...]
    num_without_image: int
    notes: tuple[str, ...]


def build_from_kaggle(
    source: Path,
    out: Path,
    *,
    crop: int = 210,
    side: int = 64,
    num_threads: int = 4,
    on_progress: Callable[[int, int], None] | None = None,
) -> BuildReport:
    """Write the galaxy file `out` from Kaggle's zips or unpacked files; return a report.

    The file holds `images` [N, side, side, 3], `target` [N, 37], `ids` [N] and `crop`; the
    galaxies are sorted by id. An existing file is replaced. An image whose name is no galaxy id,
    that cannot be decoded, is smaller than the crop or has no votes is skipped, and the report
    names it with the reason. Pixels are written in blocks of 64 MiB, so that memory holds two.

    source: a folder or zip with the images and the votes, as `kaggle_parts` finds them. crop: side
    of the central square that is kept of each image, in pixels. side: side of the written images
    in pixels, from 1 to `crop`; an image of this size is not cut. num_threads: number of threads
    that decode, at least 1. on_progress: a function that is called with the number of images done
    and the number of all images after each image.

    InvalidInput is raised, before an image is read, if a part is missing, ambiguous or refused by
    `kaggle_parts`, if two images have the same id, if `side` is wrong, or if `out` cannot be
    written, is one of the files that are read or does not fit on the disk. InvalidInput is also
    raised if no image can be used. ValueError is raised if `num_threads` is below 1, and OSError
    if the disk refuses.
    """
    if not 1 <= side <= crop:
        raise InvalidInput(f"the side must lie in 1..{crop} (the crop), got {side}")
    if out.suffix.lower() != ".npz":
        raise InvalidInput(f"galaxy files end in .npz, not {out.name!r}")
    check_output_file(out)
    with kaggle_parts(source, _existing_folder(out)) as parts:
        _check_not_read(out, parts)
        images, unused = _with_votes(parts.images, parts.votes)
        if not images:
            raise InvalidInput(_none_usable(source, unused))
        shape = (len(images), side, side, 3)
        check_room(out, shape, "take a smaller --side or another output")
        told = _Progress(len(unused), len(images) + len(unused), on_progress)
        decoded = DecodedImages(
            images, crop=crop, side=side, num_threads=num_threads, on_image=told
        )

        def columns() -> dict[str, NDArray[Any]]:
            """Return the other arrays of the file; InvalidInput is raised if no image is left."""
            if not decoded.ids:
                raise InvalidInput(_none_usable(source, [*unused, *decoded.skipped]))
            target = parts.votes.loc[decoded.ids].to_numpy(dtype=np.float32)
            return {"target": target, "ids": np.array(decoded.ids), "crop": np.array(crop)}

        save_galaxy_blocks(out, decoded, shape=shape, columns=columns)
    without_image = len(parts.votes.index.difference(list(images)))
    skipped = (*unused, *decoded.skipped)
    return BuildReport(len(decoded.ids), skipped, without_image, parts.notes)


@dataclass
class _Progress:
    """A count of the images that are done, which is told after each image.

    done: number of images done so far. num_all: number of all images. tell: gets both, or None.
    """

    done: int
    num_all: int
    tell: Callable[[int, int], None] | None

    def __call__(self) -> None:
        """Count one more image."""
        self.done += 1
        if self.tell is not None:
            self.tell(self.done, self.num_all)


def _with_votes(
    listing: ImageListing, votes: pd.DataFrame
) -> tuple[dict[int, ListedImage], list[Skipped]]:
    """Return the images with votes by galaxy id, sorted, and the images that are skipped.

    InvalidInput, which names both files, is raised if two images have the same galaxy id, such as
    `0123.jpg` and `123.jpg`.
    """
    skipped = list(listing.skipped)
    images: dict[int, ListedImage] = {}
    for image in listing.images:
        if not re.fullmatch(r"[0-9]+", image.id):
            reason = "the name is no galaxy id, such as 100008.jpg"
            skipped.append(Skipped(image.name, reason))
            continue
        galaxy_id = int(image.id) if len(image.id) < 1000 else -1
        if galaxy_id in images:
            raise InvalidInput(
                f"{images[galaxy_id].name} and {image.name} are both images of the galaxy "
                f"{galaxy_id}; remove or rename one of the two"
            )
        if galaxy_id in votes.index:
            images[galaxy_id] = image
        else:
            skipped.append(Skipped(image.name, "has no votes"))
    return dict(sorted(images.items())), skipped


def _none_usable(source: Path, skipped: list[Skipped]) -> str:
    """Return the message that no image could be used, with the reasons."""
    return f"no image in {source} could be used: {'; '.join(grouped(skipped, most=4))}"


def _existing_folder(out: Path) -> Path:
    """Return the nearest folder above a file that exists."""
    return next(folder for folder in out.absolute().parents if folder.is_dir())


def _check_not_read(out: Path, parts: KaggleParts) -> None:
    """Raise InvalidInput if the file to write is one of the files that are read."""
    for path in parts.read:
        if out.exists() and path.exists() and out.samefile(path):
            raise InvalidInput(f"{out} is the file that is read; name another output")
