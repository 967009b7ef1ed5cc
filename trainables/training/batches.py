"""The training galaxies of an epoch: shuffled, moved, and cut into batches and parts."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainables.galaxies import GalaxySource, changed_images, enlarged, sent
from trainables.layers import GalaxyNetwork
from trainables.training.augmentation import Augmentation
from trainables.training.resampling import drawn_order


@dataclass(frozen=True)
class TrainingBatch:
    """A batch of b galaxies to train on, whose random changes are drawn already.

    A part of the batch therefore has the same changes as the whole batch.

    source: the galaxies' pixels and vote fractions.
    rows: row numbers [b] in the source, on the device `source.rows_on`.
    movement: affine matrices [b, 2, 3] (see `Augmentation.matrices`) on the device of the source,
        or None if nothing is moved.
    brightness: factors [b] on the pixels, on the device of the source, or None if there are none.
    features: the frozen backbone's features [b, F] in main memory, or None if no features are
        kept.
    """

    source: GalaxySource
    rows: Tensor
    movement: Tensor | None
    brightness: Tensor | None
    features: NDArray[np.float32] | None

    def __len__(self) -> int:
        """Return the number of galaxies, b."""
        return len(self.rows)

    def part(self, chosen: slice) -> "TrainingBatch":
        """Return the galaxies in a slice of 0..b, with their changes in the whole batch.

        The part's tensors and features are views of the batch's own.
        """
        return replace(
            self,
            rows=self.rows[chosen],
            movement=None if self.movement is None else self.movement[chosen],
            brightness=None if self.brightness is None else self.brightness[chosen],
            features=None if self.features is None else self.features[chosen],
        )

    def votes(self) -> Tensor:
        """Return the vote fractions [b, 37], on the source's device."""
        return self.source.votes(self.rows)

    def images(self, side: int, fraction: float = 1.0) -> Tensor:
        """Return the moved images [b, 3, side, side] in 0..1, which a network takes as input.

        side, fraction: the network's `image_side`, in pixels, and its `field_fraction`. Larger
        stored images are reduced before they are moved, smaller ones enlarged after they are
        moved; a moved view of a part is taken in one step (see `changed_images`). The images are
        on the device of the source.
        """
        images = changed_images(
            self.source.pixels(self.rows),
            side,
            fraction=fraction,
            movement=self.movement,
            brightness=self.brightness,
        )
        return enlarged(images, side)

    def predicted(self, network: GalaxyNetwork) -> Tensor:
        """Return the network's vote fractions [b, 37] for the galaxies, on the source's device.

        If the batch has features, only the network's head is computed. network: a network on the
        source's device; the network's mode, training or evaluation, is not changed.
        """
        if self.features is not None:
            return network.head(sent(self.features, self.source.device))
        predicted: Tensor = network(self.images(network.image_side, network.field_fraction))
        return predicted


@dataclass(frozen=True)
class TrainingBatches:
    """The batches of one epoch of training.

    source: the galaxies' pixels and vote fractions.
    rows: row numbers [N] of the training galaxies in the source.
    batch_size: galaxies in a batch; the last batch may be smaller.
    augmentation: the limits of the random changes of the images.
    features: memory-mapped features [N, F] in the order of `rows`, or None if the backbone trains,
        the galaxies are moved, or features are not cached.
    importance: for each row the mean number of times [N] that it is drawn in an epoch (see
        `drawn_order`), or None if each row is drawn once.
    """

    source: GalaxySource
    rows: NDArray[np.int64]
    batch_size: int
    augmentation: Augmentation
    features: NDArray[np.float32] | None
    importance: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return -(-len(self.rows) // self.batch_size)

    def first(self) -> TrainingBatch:
        """Return the first galaxies of the training, without movements, as a batch."""
        rows = sent(self.rows[: self.batch_size], self.source.rows_on)
        features = None if self.features is None else self.features[: self.batch_size]
        return TrainingBatch(self.source, rows, None, None, features)

    def drawn(self, generator: torch.Generator) -> Iterator[TrainingBatch]:
        """Yield the batches of one epoch, in a random order and with random changes of the images.

        generator: generator on the CPU that draws the order, the movements and the brightness. All
        of these are drawn, and copied to the device that needs them, before the first batch is
        yielded. Within a batch the galaxies stand in the order of `rows`.
        """
        order = drawn_order(len(self.rows), self.importance, generator)
        starts = range(0, len(order), self.batch_size)
        slices = [slice(start, start + self.batch_size) for start in starts]
        order = np.concatenate([np.sort(order[chosen]) for chosen in slices])
        rows = sent(self.rows[order], self.source.rows_on)
        movements, factors = (
            None if change is None else sent(change.numpy(), self.source.device)
            for change in self.augmentation.drawn(len(order), generator)
        )
        for chosen in slices:
            yield TrainingBatch(
                self.source,
                rows[chosen],
                None if movements is None else movements[chosen],
                None if factors is None else factors[chosen],
                None if self.features is None else self.features[order[chosen]],
            )
