"""What one trained network says of galaxies that it was not trained on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainables.decision_tree import NUM_ANSWERS


@dataclass(frozen=True)
class ImageRows:
    """Some rows of mapped images [M, S, S, 3]: only those that are asked for are ever read."""

    images: NDArray[np.uint8]
    rows: NDArray[np.integer]

    def __len__(self) -> int:
        """Number of images."""
        return len(self.rows)

    @property
    def shape(self) -> tuple[int, ...]:
        """As of the array that these images would make, [N, S, S, 3]."""
        return (len(self.rows), *self.images.shape[1:])

    def __getitem__(
        self, place: int | np.integer | slice | Sequence[int] | NDArray[np.integer]
    ) -> NDArray[np.uint8]:
        """One image, or an array of several, as of numpy."""
        return np.asarray(self.images[self.rows[place]])


@dataclass(frozen=True)
class HeldOut:
    """Held-out galaxies with their votes and one network's predictions.

    label: the network's name in a figure, e.g. "resnet50, trial 00003"; ids [N] int64;
    images [N, S, S, 3] uint8, perhaps read when asked for; voted and predicted [N, 37] float32,
    fractions in 0..1.
    """

    label: str
    ids: NDArray[np.int64]
    images: NDArray[np.uint8] | ImageRows
    voted: NDArray[np.float32]
    predicted: NDArray[np.float32]

    def __post_init__(self) -> None:
        """Raise ValueError if the arrays do not pair up or hold no galaxy."""
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
        """Number of galaxies."""
        return len(self.ids)
