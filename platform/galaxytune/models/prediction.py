"""Predictions of an exported network as a table, for images from many kinds of sources."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from galaxytune.models.export_folder import Export
from galaxytune.models.framing import Crop, Framing
from galaxytune.models.image_sources import image_files
from galaxytune.models.view_metrics import views_worth_taking
from search_spaces.declaration import InvalidInput
from trainables.decision_tree import COLUMNS
from trainables.device import training_device
from trainables.files import DAMAGE, one_line
from trainables.galaxies import (
    ImageListing,
    Skipped,
    decode_image,
    grouped,
    image_of,
    open_images,
)
from trainables.training import NumViews, predict

Images = Path | NDArray[np.uint8] | pd.DataFrame
Batch = tuple[list[str], NDArray[np.uint8]]  # ids, and pixels [b, S, S, 3]

_BATCH = 512


@dataclass(frozen=True)
class Predictions:
    """A table of predictions for images, and the images that were left out.

    table: one row for each image that was read. The column `id_str` holds texts. The columns
        `Class1.1` to `Class11.6` hold the vote fractions in 0..1, in Kaggle's order.
    skipped: the images that could not be read, each with a reason.
    framing: one line on how the images were cut and reduced.
    num_views: the number of views of each image that were averaged, 1 or 8.
    """

    table: pd.DataFrame
    skipped: tuple[Skipped, ...]
    framing: str
    num_views: NumViews


def predict_images(
    export: Export,
    images: Images,
    *,
    crop: Crop = "training",
    num_views: NumViews | None = None,
    check_ids: Callable[[Sequence[str]], object] | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> Predictions:
    """Return the predicted vote fractions of images.

    export: the exported network, which is moved to the GPU if torch finds a GPU. images: pixels
    [N, H, W, 3] or [H, W, 3] uint8, a galaxy file (npz) with or without votes, or a source for
    `image_files`. crop: how images are cut, see `Framing`. num_views: 1, or 8 for the average over
    the rotations by 90 degrees and mirrorings of each image; None for the number that the export's
    metrics show to be worth taking (see `views_worth_taking`). check_ids: is called once with the
    ids of all images of a source, before any is predicted, and raises InvalidInput if the ids do
    not suit the caller; the row numbers of an array are not checked. on_progress: is called after
    each batch of at most 512 images with the number of images predicted so far; skipped images are
    not counted.

    An image file that cannot be read, or whose image is smaller than the crop, is skipped.
    InvalidInput is raised if the source, the crop or the views are wrong, if none of the images
    can be read, if a galaxy file holds another part of the survey's images than the training's, or
    if pixels are empty, smaller than the crop, or of another type or shape. OutOfMemory, a
    WorkFailed, is raised if memory does not hold one image.
    """
    if num_views is None:
        num_views = views_worth_taking(export.metrics.get("validation") or {})
    if num_views not in get_args(NumViews):
        raise InvalidInput(f"views must be 1 or 8, got {num_views!r}")
    framing = Framing(export, crop)
    skipped: list[Skipped] = []
    batches = _batches(framing, images, skipped, check_ids or (lambda ids: None))
    device = training_device()
    network = export.network.to(device)
    tables: list[pd.DataFrame] = []
    num_done = 0
    for ids, pixels in batches:
        votes = predict(network, pixels, device, num_views=num_views)
        table = pd.DataFrame(votes, columns=list(COLUMNS))
        table.insert(0, "id_str", ids)
        tables.append(table)
        num_done += len(ids)
        if on_progress is not None:
            on_progress(num_done)
    if not tables:
        raise InvalidInput(f"no image could be predicted: {'; '.join(grouped(skipped))}")
    table = pd.concat(tables, ignore_index=True)
    return Predictions(table, tuple(skipped), framing.sentence(), num_views)


def _batches(
    framing: Framing,
    images: Images,
    skipped: list[Skipped],
    check_ids: Callable[[Sequence[str]], object],
) -> Iterator[Batch]:
    """Return an iterator over batches of at most 512 images: their ids, and pixels [b, S, S, 3].

    images, check_ids: as in `predict_images`. skipped: gets the files that a source leaves out,
    and during the iteration each image that cannot be read. S is `framing.side`. InvalidInput is
    raised if the source is wrong, in part only when the first batch is asked for.
    """
    if isinstance(images, np.ndarray):
        return _from_array(images, framing)
    if not isinstance(images, Path | pd.DataFrame):
        raise InvalidInput(
            f"images must be an array, a DataFrame or a path, got {type(images).__name__}"
        )
    if isinstance(images, Path) and images.suffix.lower() == ".npz":
        return _from_galaxy_file(images, framing, check_ids)
    listing = image_files(images)
    skipped.extend(listing.skipped)
    check_ids([listed.id for listed in listing.images])
    return _decoded(listing, framing, skipped)


def _decoded(listing: ImageListing, framing: Framing, skipped: list[Skipped]) -> Iterator[Batch]:
    """Yield batches of decoded images, at the size of the training images.

    skipped: gets each image that cannot be read or is smaller than the crop.
    """
    ids: list[str] = []
    pixels: list[NDArray[np.uint8]] = []
    for listed in listing.images:
        try:
            with listed.open() as file:
                image = framing.fit(decode_image(file))
        except DAMAGE as error:
            skipped.append(Skipped(listed.name, _reason(error)))
            continue
        ids.append(listed.id)
        pixels.append(image)
        if len(ids) == _BATCH:
            yield ids, np.stack(pixels)
            ids, pixels = [], []
    if ids:
        yield ids, np.stack(pixels)


def _reason(error: Exception) -> str:
    """Return why a file cannot be read, without the file's name, so that reasons can be equal."""
    if isinstance(error, OSError) and error.strerror:
        return f"the file cannot be opened ({error.strerror})"
    return one_line(error)


def _from_galaxy_file(
    source: Path, framing: Framing, check_ids: Callable[[Sequence[str]], object]
) -> Iterator[Batch]:
    """Yield batches of the images in a galaxy file, with the galaxies' ids.

    InvalidInput is raised if the file is missing, damaged or not of the right form, or if its
    images cannot be framed like those of the training.
    """
    galaxies = open_images(source)
    check_ids(list(galaxies.ids))
    side = galaxies.images.shape[1]
    fits = galaxies.crop == framing.trained_crop and side == framing.side
    if framing.crop == "training" and not fits:
        _check_field_of_view(source, side, galaxies.crop, framing)
    for start in range(0, len(galaxies), _BATCH):
        part = np.asarray(galaxies.images[start : start + _BATCH])
        if framing.crop == "training" and side == framing.side:
            pixels = framing.take(part)
        else:
            pixels = _fitted(part, framing, source)
        yield list(galaxies.ids[start : start + _BATCH]), pixels


def _fitted(part: NDArray[np.uint8], framing: Framing, source: Path) -> NDArray[np.uint8]:
    """Return images [b, H, H, 3] of a galaxy file as pixels [b, S, S, 3] for the network.

    InvalidInput, which names the file `source`, is raised if the images are smaller than the crop.
    """
    try:
        return np.stack([framing.fit(image_of(one)) for one in part])
    except InvalidInput as error:
        raise InvalidInput(f"{source}: {error}") from None


def _check_field_of_view(source: Path, side: int, crop: int | None, framing: Framing) -> None:
    """Raise InvalidInput if the images of a galaxy file cannot be cut as those of the training.

    source: the file. side: width and height of its images. crop: how many pixels of the survey's
    image they show, or None if the file does not say. All numbers are in pixels. Images that were
    cut but not reduced can be cut again; images that were reduced cannot.
    """
    trained, wanted = framing.trained_crop, framing.side
    if crop is None and side == wanted:
        return
    if crop in (None, side) and side >= trained:
        return
    shows = "" if crop is None else f", which show the survey's central {crop} pixels"
    raise InvalidInput(
        f"{source} holds images of {side} pixels{shows}, but the model was trained on images of "
        f"{wanted} pixels, which show the central {trained}; "
        f"`galaxytune data build --crop {trained} --side {wanted}` makes such images, and "
        "`--crop none` takes the images whole"
    )


def _from_array(images: NDArray[np.uint8], framing: Framing) -> Iterator[Batch]:
    """Yield batches of the images in an array, cut and reduced, with the row numbers as ids.

    The row numbers are counted from 0. An array that is empty, that is not uint8 [N, H, W, 3] or
    [H, W, 3], or whose images are smaller than the crop raises InvalidInput.
    """
    pixels = images[None] if images.ndim == 3 else images
    if pixels.ndim != 4 or pixels.shape[3] != 3 or pixels.dtype != np.uint8 or not pixels.size:
        raise InvalidInput(
            "an array must hold at least one image as uint8 [N, H, W, 3] or [H, W, 3], "
            f"got {images.dtype} {list(images.shape)}"
        )
    for start in range(0, len(pixels), _BATCH):
        fitted = [framing.fit(image_of(one)) for one in pixels[start : start + _BATCH]]
        yield [str(start + i) for i in range(len(fitted))], np.stack(fitted)
