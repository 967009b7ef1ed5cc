"""The construction of a galaxy file from Kaggle's "Galaxy Zoo - The Galaxy Challenge" download."""

import threading
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from search_spaces.declaration import InvalidInput
from trainables.decision_tree import COLUMNS
from trainables.files import DAMAGE, one_line
from trainables.galaxies.galaxy_file import save_galaxies
from trainables.galaxies.image_files import IMAGE_SUFFIXES, read_image

IMAGES = "images_training_rev1"
SOLUTIONS = "training_solutions_rev1"


@dataclass(frozen=True)
class BuildReport:
    """A report of the galaxies that a build wrote and skipped.

    num_galaxies: number of galaxies written. skipped: one text "FILE: REASON" for each image that
    was not used, sorted by galaxy id; () if all were used. FILE is the image's name in the zip, or
    its path. num_without_image: number of galaxies with votes but without an image.
    """

    num_galaxies: int
    skipped: tuple[str, ...]
    num_without_image: int


class _Images:
    """A collection of the training images of a zip or of an unpacked folder, by galaxy id.

    zip: path of the zip, None for a folder. names: each image's name in the zip, or its path, by
    galaxy id.
    """

    def __init__(self, folder: Path) -> None:
        """List the images of Kaggle's zip or, if there is no zip, of the folder with its name.

        folder: the folder that holds the zip or the folder. If it holds neither, but a file that
        ends in .jpg, the images are looked for in `folder` itself. Images in subfolders count. An
        image is a JPEG or PNG file whose name is a number, the galaxy id; of several files with
        one id the last is taken. No image is opened, and the list may be empty.

        InvalidInput is raised if the zip is damaged, or if `folder` holds no zip, no folder of
        that name and no file that ends in .jpg.
        """
        packed, unpacked = folder / f"{IMAGES}.zip", folder / IMAGES
        if packed.is_file():
            self.zip: Path | None = packed
            names = self._open(packed).namelist()
        elif unpacked.is_dir() or any(folder.glob("*.jpg")):
            self.zip = None
            base = unpacked if unpacked.is_dir() else folder
            names = [str(path) for path in base.rglob("*") if path.is_file()]
        else:
            raise InvalidInput(f"{folder} holds neither {IMAGES}.zip nor a folder {IMAGES}")
        self.names = {
            int(Path(name).stem): name
            for name in names
            if name.lower().endswith(IMAGE_SUFFIXES) and Path(name).stem.isdigit()
        }
        self._local = threading.local()

    @staticmethod
    def _open(path: Path) -> zipfile.ZipFile:
        """Open a zip file; raise InvalidInput if the file is no zip, is damaged or is missing."""
        try:
            return zipfile.ZipFile(path)
        except DAMAGE as error:
            raise InvalidInput(f"{path} is not a whole zip file ({one_line(error)})") from None

    def open(self, galaxy_id: int) -> IO[bytes]:
        """Return an open binary file of the encoded image of the galaxy; the caller closes it.

        Each thread opens the zip for itself, so that threads can read at the same time. KeyError
        is raised if `names` lacks the id, InvalidInput if the zip cannot be opened, and another
        error of DAMAGE if the image's file or its entry in the zip cannot be opened.
        """
        name = self.names[galaxy_id]
        if self.zip is None:
            return Path(name).open("rb")
        if not hasattr(self._local, "archive"):
            self._local.archive = self._open(self.zip)
        handle: IO[bytes] = self._local.archive.open(name)
        return handle


def read_solutions(folder: Path) -> pd.DataFrame:
    """Read Kaggle's table of votes from the zip or, if there is no zip, the CSV file in `folder`.

    Return the vote fractions [N, 37] float32 with Kaggle's columns Class1.1 to Class11.6, indexed
    and sorted by GalaxyID. N is 0 if the table has no rows.

    InvalidInput is raised if the table is missing, damaged or lacks a column, if an id is not a
    whole number or occurs twice, or if a vote is missing, not a finite number or outside 0..1 (by
    more than 1e-6).
    """
    for name in (f"{SOLUTIONS}.zip", f"{SOLUTIONS}.csv"):
        if (folder / name).is_file():
            break
    else:
        raise InvalidInput(f"{folder} holds neither {SOLUTIONS}.zip nor {SOLUTIONS}.csv")
    try:
        table = pd.read_csv(folder / name)
    except DAMAGE as error:
        raise InvalidInput(f"{folder / name} cannot be read ({one_line(error)})") from None
    missing = [c for c in ("GalaxyID", *COLUMNS) if c not in table.columns]
    if missing:
        raise InvalidInput(f"{folder / name} lacks the columns {', '.join(missing)}")
    table["GalaxyID"] = _whole_numbers(folder / name, table["GalaxyID"])
    table = table.set_index("GalaxyID").sort_index()
    if table.index.has_duplicates:
        raise InvalidInput(f"{folder / name} names a galaxy twice")
    try:
        votes = table[list(COLUMNS)].astype(np.float32)
    except ValueError as error:
        raise InvalidInput(
            f"{folder / name} holds a value that is not a number ({one_line(error)})"
        ) from None
    incomplete = votes.index[~np.isfinite(votes.to_numpy()).all(axis=1)]
    if len(incomplete):
        raise InvalidInput(f"{folder / name} has no vote in a cell of galaxy {incomplete[0]}")
    outside = votes.index[((votes < 0) | (votes > 1 + 1e-6)).any(axis=1)]
    if len(outside):
        raise InvalidInput(
            f"{folder / name} has a vote fraction outside 0..1 for galaxy {outside[0]}"
        )
    return votes


def _whole_numbers(file: Path, ids: "pd.Series[Any]") -> "pd.Series[int]":
    """Return ids as int64, or raise InvalidInput if one is not a whole number.

    file: the table's file, for the message.
    """
    numbers = pd.to_numeric(ids, errors="coerce")
    wrong = ids[numbers.isna() | (numbers % 1 != 0)]
    if len(wrong):
        raise InvalidInput(f"{file}: GalaxyID must be a whole number, got {str(wrong.iloc[0])!r}")
    return numbers.astype(np.int64)


def build_from_kaggle(
    folder: Path,
    out: Path,
    *,
    crop: int = 210,
    side: int = 64,
    num_threads: int = 4,
    on_progress: Callable[[int, int], None] | None = None,
) -> BuildReport:
    """Write the galaxy file `out` from Kaggle's zips or unpacked files; return a report.

    The file holds `images` [N, side, side, 3], `target` [N, 37], `ids` [N] and `crop`; the
    galaxies are sorted by id. An existing file is replaced. An image that cannot be decoded, is
    smaller than the crop or has no votes is skipped, and the report names it with the reason. All
    pixels are held in memory until the file is written.

    folder: the folder that holds `images_training_rev1` and `training_solutions_rev1`, each as a
    zip or unpacked. crop: side of the central square that is kept of each image, in pixels. side:
    side of the written images in pixels, from 1 to `crop`; an image of this size is not cut.
    num_threads: number of threads that decode, at least 1. on_progress: a function that is called
    with the number of images done and the number of all images after each image.

    InvalidInput is raised if the folder or one of the two parts is missing, if `side` is wrong, if
    the zip of images is damaged, if `read_solutions` refuses the votes, or if no image can be
    used. Votes outside 0..1 are written, and `open_galaxies` then refuses the file. ValueError is
    raised if `num_threads` is below 1, and OSError if the file cannot be written.
    """
    if not folder.is_dir():
        raise InvalidInput(f"no folder {folder}")
    if not 1 <= side <= crop:
        raise InvalidInput(f"the side must lie in 1..{crop} (the crop), got {side}")
    votes, images = read_solutions(folder), _Images(folder)
    ids = sorted(images.names)
    pixels = np.zeros((len(ids), side, side, 3), dtype=np.uint8)
    reasons: dict[int, str] = {}

    def fill(row: int) -> None:
        """Read the image of one row into `pixels`, or note in `reasons` why it is skipped."""
        if ids[row] not in votes.index:
            reasons[row] = "has no votes"
            return
        try:
            with images.open(ids[row]) as file:
                pixels[row] = read_image(file, crop=crop, side=side)
        except DAMAGE as error:
            reasons[row] = one_line(error)

    with ThreadPoolExecutor(num_threads) as pool:
        for done, _ in enumerate(pool.map(fill, range(len(ids))), start=1):
            if on_progress is not None:
                on_progress(done, len(ids))
    kept = np.array([row for row in range(len(ids)) if row not in reasons], dtype=np.int64)
    if len(kept) == 0:
        raise InvalidInput(f"no image in {folder} could be used")
    _write(out, pixels, np.array(ids)[kept], kept, votes, crop)
    skipped = tuple(f"{images.names[ids[r]]}: {reasons[r]}" for r in sorted(reasons))
    return BuildReport(len(kept), skipped, len(votes.index.difference(ids)))


def _write(
    out: Path,
    pixels: NDArray[np.uint8],
    ids: NDArray[np.int64],
    kept: NDArray[np.int64],
    votes: pd.DataFrame,
    crop: int,
) -> None:
    """Write the galaxy file `out` of the rows that are kept.

    pixels: images [M, S, S, 3] of all rows. ids: galaxy ids [N] of the kept rows. kept: numbers
    [N] of the kept rows. votes: Kaggle's votes, indexed by galaxy id. crop: side of the central
    square that was kept of each image, in pixels, which the file records. OSError is raised if the
    file cannot be written.
    """
    images = pixels if len(kept) == len(pixels) else pixels[kept]
    target = votes.loc[ids].to_numpy(dtype=np.float32)
    save_galaxies(out, {"images": images, "target": target, "ids": ids, "crop": np.array(crop)})
