"""The training galaxies as an epoch draws them: shuffled, moved, cut into batches and parts."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainables.augmentation import Augmentation
from trainables.galaxy_source import GalaxySource
from trainables.image_batches import as_images, enlarged, moved, sent
from trainables.network import GalaxyNetwork


@dataclass(frozen=True)
class TrainingBatch:
    """b galaxies to learn from, all chance already drawn, so that parts of it are its parts.

    rows: [b], in the source. movement: affine matrices [b, 2, 3], or None where nothing is
    moved. features: [b, F], what a frozen backbone makes of them, or None where it is not kept.
    """

    source: GalaxySource
    rows: Tensor
    movement: Tensor | None
    features: NDArray[np.float32] | None

    def __len__(self) -> int:
        """The number of galaxies, b."""
        return len(self.rows)

    def part(self, chosen: slice) -> "TrainingBatch":
        """Some of the galaxies, with the draws that they have in the whole batch."""
        return replace(
            self,
            rows=self.rows[chosen],
            movement=None if self.movement is None else self.movement[chosen],
            features=None if self.features is None else self.features[chosen],
        )

    def votes(self) -> Tensor:
        """The vote fractions [b, 37]."""
        return self.source.votes(self.rows)

    def images(self, side: int) -> Tensor:
        """The galaxies as a network sees them, moved, [b, 3, side, side] in 0..1."""
        images = as_images(self.source.pixels(self.rows), side)
        if self.movement is not None:
            images = moved(images, self.movement)
        return enlarged(images, side)

    def predicted(self, network: GalaxyNetwork) -> Tensor:
        """What the network makes of the galaxies, [b, 37]."""
        if self.features is not None:
            return network.head(sent(self.features, self.source.device))
        predicted: Tensor = network(self.images(network.image_side))
        return predicted


@dataclass(frozen=True)
class TrainingBatches:
    """The training rows [N] of some galaxies, in batches of `batch_size`, the last a smaller.

    features: [N, F], mapped; None where the backbone trains or the galaxies are moved.
    """

    source: GalaxySource
    rows: NDArray[np.int64]
    batch_size: int
    augmentation: Augmentation
    features: NDArray[np.float32] | None

    def __len__(self) -> int:
        """The number of batches in an epoch."""
        return -(-len(self.rows) // self.batch_size)

    def drawn(self, generator: torch.Generator) -> Iterator[TrainingBatch]:
        """The batches of an epoch, in an order and with movements that the generator draws.

        All of it is drawn, and sent to the device, before the first batch.
        """
        order = torch.randperm(len(self.rows), generator=generator).numpy()
        starts = range(0, len(order), self.batch_size)
        slices = [slice(start, start + self.batch_size) for start in starts]
        order = np.concatenate([np.sort(order[chosen]) for chosen in slices])
        rows = sent(self.rows[order], self.source.rows_on)
        movements = None
        if not self.augmentation.does_nothing:
            drawn = self.augmentation.matrices(len(order), generator)
            movements = sent(drawn.numpy(), self.source.device)
        for chosen in slices:
            yield TrainingBatch(
                self.source,
                rows[chosen],
                None if movements is None else movements[chosen],
                None if self.features is None else self.features[order[chosen]],
            )
