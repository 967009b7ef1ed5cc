"""Predictions of an exported network as a table, for images from many kinds of sources."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from galaxytune.models.export import Export
from galaxytune.models.image_sources import ImageFile, image_files
from search_spaces.declaration import InvalidInput
from trainables.decision_tree import COLUMNS
from trainables.device import training_device
from trainables.files import DAMAGE, one_line, write_atomically
from trainables.galaxies import fitted_image, open_galaxies, read_image
from trainables.training import predict

Images = Path | NDArray[np.uint8] | pd.DataFrame
Batch = tuple[list[str], NDArray[np.uint8]]  # ids, and pixels [b, S, S, 3]

_BATCH = 512
_TABLES = (".csv", ".parquet")


@dataclass(frozen=True)
class Predictions:
    """A table of predictions for images, and the images that could not be read.

    table: one row for each image that was read. The column `id_str` holds texts. The columns
        `Class1.1` to `Class11.6` hold the vote fractions in 0..1, in Kaggle's order.
    skipped: one text `ID: REASON` for each image that could not be read.
    """

    table: pd.DataFrame
    skipped: tuple[str, ...]


def predict_images(
    export: Export, images: Images, *, on_progress: Callable[[int], None] | None = None
) -> Predictions:
    """Return the predicted vote fractions of images.

    export: the exported network, which is moved to the GPU if torch finds a GPU. images: pixels
    [N, H, W, 3] or [H, W, 3] uint8, a galaxy file (npz), or a source for `image_files`. An image
    of another size than the images of the training is cut and reduced like them. The images of a
    galaxy file must have the size of the images of the training. on_progress: is called after each
    batch of at most 512 images with the number of images predicted so far; skipped images are not
    counted.

    An image file that cannot be read, or whose image is smaller than the crop, is skipped.
    InvalidInput is raised if the source cannot be read, if none of its images can be read, or if
    pixels are empty, smaller than the crop, or of another type or shape. OutOfMemory, a
    WorkFailed, is raised if memory does not hold one image.
    """
    skipped: list[str] = []
    device = training_device()
    network = export.network.to(device)
    tables: list[pd.DataFrame] = []
    num_done = 0
    for ids, pixels in _batches(export, images, skipped):
        table = pd.DataFrame(predict(network, pixels, device), columns=list(COLUMNS))
        table.insert(0, "id_str", ids)
        tables.append(table)
        num_done += len(ids)
        if on_progress is not None:
            on_progress(num_done)
    if not tables:
        raise InvalidInput(f"no image could be read; the first: {skipped[0]}")
    return Predictions(pd.concat(tables, ignore_index=True), tuple(skipped))


def _batches(export: Export, images: Images, skipped: list[str]) -> Iterator[Batch]:
    """Return an iterator over batches of at most 512 images: their ids, and pixels [b, S, S, 3].

    images: as in `predict_images`. skipped: during the iteration, gets one text `ID: REASON` for
    each image file that cannot be read. S is `export.side`. InvalidInput is raised if the source
    is wrong, in part only when the first batch is asked for.
    """
    if isinstance(images, np.ndarray):
        return _from_array(images, export)
    if not isinstance(images, Path | pd.DataFrame):
        raise InvalidInput(
            f"images must be an array, a DataFrame or a path, got {type(images).__name__}"
        )
    if isinstance(images, Path) and images.suffix.lower() == ".npz":
        return _from_galaxy_file(images, export.side)
    return _decoded(image_files(images), export, skipped)


def _decoded(files: Iterable[ImageFile], export: Export, skipped: list[str]) -> Iterator[Batch]:
    """Yield batches of decoded images, at the size of the training images.

    skipped: gets one text `ID: REASON` for each image that cannot be read or is smaller than the
    crop.
    """
    ids: list[str] = []
    pixels: list[NDArray[np.uint8]] = []
    for name, opener in files:
        try:
            with opener() as file:
                image = read_image(file, crop=export.crop, side=export.side)
        except DAMAGE as error:
            skipped.append(f"{name}: {one_line(error)}")
            continue
        ids.append(name)
        pixels.append(image)
        if len(ids) == _BATCH:
            yield ids, np.stack(pixels)
            ids, pixels = [], []
    if ids:
        yield ids, np.stack(pixels)


def _from_galaxy_file(source: Path, side: int) -> Iterator[Batch]:
    """Yield batches of the images in a galaxy file, with the galaxies' ids.

    side: width and height of the images of the training, in pixels. InvalidInput is raised if the
    file is missing, damaged or not of the right form, or if its images have another size.
    """
    galaxies = open_galaxies(source)
    if galaxies.images.shape[1] != side:
        raise InvalidInput(
            f"{source} holds images of {galaxies.images.shape[1]} pixels, but the model was "
            f"trained on images of {side} pixels; `galaxytune data build --side {side}` makes them"
        )
    for start in range(0, len(galaxies), _BATCH):
        rows = slice(start, start + _BATCH)
        yield [str(i) for i in galaxies.ids[rows]], np.asarray(galaxies.images[rows])


def _from_array(images: NDArray[np.uint8], export: Export) -> Iterator[Batch]:
    """Yield batches of the images in an array, cut and reduced, with the row numbers as ids.

    The row numbers are counted from 0. An array that is empty, that is not uint8 [N, H, W, 3] or
    [H, W, 3], or whose images are smaller than the crop raises InvalidInput.
    """
    pixels = images[None] if images.ndim == 3 else images
    if pixels.ndim != 4 or pixels.shape[3] != 3 or pixels.dtype != np.uint8 or not len(pixels):
        raise InvalidInput(
            "an array must hold at least one image as uint8 [N, H, W, 3] or [H, W, 3], "
            f"got {images.dtype} {list(images.shape)}"
        )
    for start in range(0, len(pixels), _BATCH):
        part = pixels[start : start + _BATCH]
        fitted = [fitted_image(one, crop=export.crop, side=export.side) for one in part]
        yield [str(start + i) for i in range(len(part))], np.stack(fitted)


def check_table_name(out: Path) -> None:
    """Raise InvalidInput unless `out` ends in .csv or .parquet, in upper or lower case."""
    if out.suffix.lower() not in _TABLES:
        raise InvalidInput(f"predictions are written as .csv or .parquet, not {out.name!r}")


def write_table(table: pd.DataFrame, out: Path) -> None:
    """Write predictions to `out` as CSV or parquet, as the suffix of `out` requires.

    The file is replaced in one step, and its folder is made. A CSV has six decimals. Another
    suffix raises InvalidInput. OSError is raised if the file cannot be written.
    """
    check_table_name(out)
    if out.suffix.lower() == ".parquet":
        write_atomically(out, lambda path: table.to_parquet(path, index=False))
    else:
        write_atomically(out, lambda path: table.to_csv(path, index=False, float_format="%.6f"))
