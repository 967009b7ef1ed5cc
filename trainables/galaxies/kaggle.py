"""Building a galaxy file from Kaggle's "Galaxy Zoo - The Galaxy Challenge" download."""

import threading
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trainables.decision_tree import COLUMNS
from trainables.galaxies.damage import DAMAGE, one_line
from trainables.galaxies.galaxy_file import save_galaxies
from trainables.galaxies.image_files import IMAGE_SUFFIXES, read_image

IMAGES = "images_training_rev1"
SOLUTIONS = "training_solutions_rev1"


@dataclass(frozen=True)
class BuildReport:
    """What a build did: galaxies written, files skipped with the reason, ids with no image."""

    num_galaxies: int
    skipped: tuple[str, ...]
    num_without_image: int


class _Images:
    """The training images of a zip or of an unpacked folder, by galaxy id."""

    def __init__(self, folder: Path) -> None:
        packed, unpacked = folder / f"{IMAGES}.zip", folder / IMAGES
        if packed.is_file():
            self.zip: Path | None = packed
            names = self._open(packed).namelist()
        elif unpacked.is_dir() or any(folder.glob("*.jpg")):
            self.zip = None
            base = unpacked if unpacked.is_dir() else folder
            names = [str(path) for path in base.rglob("*") if path.is_file()]
        else:
            raise ValueError(f"{folder} holds neither {IMAGES}.zip nor a folder {IMAGES}")
        self.names = {
            int(Path(name).stem): name
            for name in names
            if name.lower().endswith(IMAGE_SUFFIXES) and Path(name).stem.isdigit()
        }
        self._local = threading.local()

    @staticmethod
    def _open(path: Path) -> zipfile.ZipFile:
        try:
            return zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError) as error:
            raise ValueError(f"{path} is not a whole zip file ({error})") from None

    def open(self, galaxy_id: int) -> IO[bytes]:
        """The encoded image; each thread reads through a zip handle of its own."""
        name = self.names[galaxy_id]
        if self.zip is None:
            return Path(name).open("rb")
        if not hasattr(self._local, "archive"):
            self._local.archive = self._open(self.zip)
        handle: IO[bytes] = self._local.archive.open(name)
        return handle


def read_solutions(folder: Path) -> pd.DataFrame:
    """Kaggle's votes [N, 37] indexed by GalaxyID, from the zip or the CSV; sorted by id."""
    for name in (f"{SOLUTIONS}.zip", f"{SOLUTIONS}.csv"):
        if (folder / name).is_file():
            break
    else:
        raise ValueError(f"{folder} holds neither {SOLUTIONS}.zip nor {SOLUTIONS}.csv")
    try:
        table = pd.read_csv(folder / name)
    except DAMAGE as error:
        raise ValueError(f"{folder / name} cannot be read ({one_line(error)})") from None
    missing = [c for c in ("GalaxyID", *COLUMNS) if c not in table.columns]
    if missing:
        raise ValueError(f"{folder / name} lacks the columns {', '.join(missing)}")
    table = table.set_index("GalaxyID").sort_index()
    if table.index.has_duplicates:
        raise ValueError(f"{folder / name} names a galaxy twice")
    try:
        votes = table[list(COLUMNS)].astype(np.float32)
    except ValueError as error:
        raise ValueError(f"{folder / name} holds what is no number ({one_line(error)})") from None
    incomplete = votes.index[~np.isfinite(votes.to_numpy()).all(axis=1)]
    if len(incomplete):
        raise ValueError(f"{folder / name} has no vote in a cell of galaxy {incomplete[0]}")
    return votes


def build_from_kaggle(
    folder: Path,
    out: Path,
    *,
    crop: int = 210,
    side: int = 64,
    num_threads: int = 4,
    on_progress: Callable[[int, int], None] | None = None,
) -> BuildReport:
    """Write `out` from the zips or the unpacked files in `folder`, sorted by galaxy id.

    A file that cannot be decoded, or has no votes, is skipped and named with its reason.
    `on_progress(done, total)` is called after each image.
    """
    if not folder.is_dir():
        raise ValueError(f"no folder {folder}")
    if not 1 <= side <= crop:
        raise ValueError(f"the side must lie in 1..{crop} (the crop), got {side}")
    votes, images = read_solutions(folder), _Images(folder)
    ids = sorted(images.names)
    pixels = np.zeros((len(ids), side, side, 3), dtype=np.uint8)
    reasons: dict[int, str] = {}

    def fill(row: int) -> None:
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
        raise ValueError(f"no image in {folder} could be used")
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
    images = pixels if len(kept) == len(pixels) else pixels[kept]
    target = votes.loc[ids].to_numpy(dtype=np.float32)
    save_galaxies(out, {"images": images, "target": target, "ids": ids, "crop": np.array(crop)})
