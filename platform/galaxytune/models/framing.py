"""The part of an image that a network sees: the cut, the reduction, and a sentence on both."""

from numbers import Integral
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from galaxytune.models.export_folder import Export
from search_spaces.declaration import InvalidInput
from trainables.galaxies import cut_image, seen_side

Crop = int | Literal["training", "none"]


def check_crop(crop: object) -> None:
    """Raise InvalidInput unless `crop` is `training`, `none` or a whole number of at least 1."""
    if crop in ("training", "none"):
        return
    if not isinstance(crop, Integral) or isinstance(crop, bool) or crop < 1:
        raise InvalidInput(
            "the crop must be training, none, or a whole number of pixels of at least 1, "
            f"got {crop!r}"
        )


class Framing:
    """The way in which images are cut and reduced for a network, with counts of what was done.

    trained_crop, side: in pixels; the images of the training were cut to their central
        `trained_crop` pixels and reduced to `side` pixels.
    seen: in pixels; the network sees the central `seen` pixels of the reduced images.
    crop: the side of the central square that is kept of each image, in pixels. `training` keeps
        `trained_crop` pixels, except that an image that has `side` x `side` pixels is taken as it
        is. `none` keeps the largest square.
    """

    def __init__(self, export: Export, crop: Crop = "training") -> None:
        """Take the sizes of an export's training; InvalidInput as in `check_crop`."""
        check_crop(crop)
        self.trained_crop, self.side, self.crop = export.crop, export.side, crop
        self.seen = seen_side(self.side, export.network.field_fraction)
        self._num_cut = 0
        self._num_as_they_are = 0

    def take(self, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return images that have the size of the training images already, and count them."""
        self._num_as_they_are += len(images)
        return images

    def fit(self, image: Image.Image) -> NDArray[np.uint8]:
        """Return an image of mode RGB as pixels [side, side, 3] uint8, perhaps read-only.

        InvalidInput is raised if the image is narrower or lower than the crop.
        """
        width, height = image.size
        if self.crop == "training" and (width, height) == (self.side, self.side):
            return self.take(np.asarray(image)[None])[0]
        kept = self._kept(min(width, height))
        if min(width, height) < kept:
            more = f", only an image of {_square(self.side)} needs no crop"
            raise InvalidInput(
                f"{width}x{height} pixels is smaller than the crop of {kept}; another crop "
                f"(--crop) keeps other pixels{more if self.crop == 'training' else ''}"
            )
        pixels = cut_image(image, crop=kept, side=self.side)
        self._num_cut += 1
        return pixels

    def _kept(self, smaller: int) -> int:
        """Return how many pixels are kept of an image whose smaller side is `smaller`."""
        if self.crop == "none":
            return smaller
        return self.trained_crop if self.crop == "training" else int(self.crop)

    def sentence(self) -> str:
        """Return one line on what was done with the images so far, empty if there was none."""
        parts = []
        if self._num_cut:
            parts.append(f"{_were(self._num_cut)} {self._what()}")
        if self._num_as_they_are:
            parts.append(f"{_were(self._num_as_they_are)} used uncut at {_square(self.side)}")
        if parts and self.seen < self.side:
            parts.append(f"the network sees the central {_square(self.seen)} of them")
        return "; ".join(parts)

    def _what(self) -> str:
        """Return what was done with the images that were cut."""
        training = f"in training the central {_square(self.trained_crop)} were kept"
        if self.crop == "none":
            return f"kept whole and resized to {_square(self.side)} ({training})"
        kept = self._kept(0)
        as_trained = "as in training" if kept == self.trained_crop else training
        told = f"cut to the central {_square(kept)} ({as_trained})"
        if kept == self.side:
            return told
        return (
            f"{told} and {'reduced' if kept > self.side else 'enlarged'} to {_square(self.side)}"
        )


def _were(number: int) -> str:
    """Return `1 image was` or `2 images were`."""
    return "1 image was" if number == 1 else f"{number:,} images were"


def _square(side: int) -> str:
    """Return the size of a square in words."""
    return f"{side} x {side} pixels"
