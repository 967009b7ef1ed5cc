"""Predictions of one trained network for galaxies that were not used in its training."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainables.decision_tree import NUM_ANSWERS


@dataclass(frozen=True)
class ImageRows:
    """A selection of N images of an image array, which may be mapped from a file.

    No image is read before it is indexed.

    images: the whole array [M, S, S, 3], for example an array that is mapped from a file.
    rows: indices [N] of the selected images in `images`.
    """

    images: NDArray[np.uint8]
    rows: NDArray[np.integer]

    def __len__(self) -> int:
        """Return the number N of selected images."""
        return len(self.rows)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape [N, S, S, 3] of the array of all selected images."""
        return (len(self.rows), *self.images.shape[1:])

    def __getitem__(
        self, place: int | np.integer | slice | Sequence[int] | NDArray[np.integer]
    ) -> NDArray[np.uint8]:
        """Return selected images as an array.

        place: an index in 0..N-1 gives one image [S, S, 3], which is a view of `images`. A slice,
        a list or an array of K indices gives a copy of the images, [K, S, S, 3]. Negative indices
        count from the end. An index beyond the end raises IndexError.
        """
        return np.asarray(self.images[self.rows[place]])


@dataclass(frozen=True)
class HeldOut:
    """A set of held-out galaxies with vote fractions and one network's predictions.

    label: the network's name in a figure, for example "resnet50, trial 00003".
    ids: ids of the galaxies, [N] int64.
    images: images [N, S, S, 3] uint8, in memory or as `ImageRows`.
    voted: vote fractions [N, 37] float32 in 0..1.
    predicted: predicted vote fractions [N, 37] float32 in 0..1.
    """

    label: str
    ids: NDArray[np.int64]
    images: NDArray[np.uint8] | ImageRows
    voted: NDArray[np.float32]
    predicted: NDArray[np.float32]

    def __post_init__(self) -> None:
        """Raise ValueError unless N >= 1, all lengths are N, and both fractions are [N, 37]."""
        shape = (len(self.ids), NUM_ANSWERS)
        if len(self.ids) == 0:
            raise ValueError(f"{self.label}: no galaxy is held out")
        if len(self.images) != len(self.ids):
            raise ValueError(f"{self.label}: {len(self.images)} images, {len(self.ids)} ids")
        for name in ("voted", "predicted"):
            found = getattr(self, name).shape
            if found != shape:
                raise ValueError(f"{self.label}: {name} must be {shape}, got {found}")

    def __len__(self) -> int:
        """Return the number N of galaxies."""
        return len(self.ids)
