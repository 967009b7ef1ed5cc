"""The training galaxies as an epoch draws them: shuffled, moved, cut into batches and parts."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainables.augmentation import Augmentation
from trainables.galaxies.galaxy_file import Galaxies
from trainables.image_batches import enlarged, moved, to_images
from trainables.network import GalaxyNetwork


@dataclass(frozen=True)
class TrainingBatch:
    """b galaxies to learn from, all chance already drawn, so that parts of it are its parts.

    rows: [b], in the galaxies. movement: affine matrices [b, 2, 3], or None where nothing is
    moved. features: [b, F], what a frozen backbone makes of them, or None where it is not kept.
    """

    galaxies: Galaxies
    rows: NDArray[np.int64]
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

    def votes(self, device: torch.device) -> Tensor:
        """The vote fractions [b, 37]."""
        return torch.from_numpy(self.galaxies.target[self.rows]).to(device)

    def images(self, side: int, device: torch.device) -> Tensor:
        """The galaxies as a network sees them, moved, [b, 3, side, side] in 0..1."""
        images = to_images(self.galaxies.images[self.rows], device, side)
        if self.movement is not None:
            images = moved(images, self.movement)
        return enlarged(images, side)

    def predicted(self, network: GalaxyNetwork, device: torch.device) -> Tensor:
        """What the network makes of the galaxies, [b, 37]."""
        if self.features is not None:
            return network.head(torch.from_numpy(self.features).to(device))
        predicted: Tensor = network(self.images(network.image_side, device))
        return predicted


@dataclass(frozen=True)
class TrainingBatches:
    """The training rows [N] of some galaxies, in batches of `batch_size`, the last a smaller.

    features: [N, F], mapped; None where the backbone trains or the galaxies are moved.
    """

    galaxies: Galaxies
    rows: NDArray[np.int64]
    batch_size: int
    augmentation: Augmentation
    features: NDArray[np.float32] | None

    def __len__(self) -> int:
        """The number of batches in an epoch."""
        return -(-len(self.rows) // self.batch_size)

    def drawn(self, generator: torch.Generator) -> Iterator[TrainingBatch]:
        """The batches of an epoch, in an order and with movements that the generator draws."""
        order = torch.randperm(len(self.rows), generator=generator).numpy()
        for start in range(0, len(order), self.batch_size):
            places = np.sort(order[start : start + self.batch_size])
            movement = None
            if not self.augmentation.does_nothing:
                movement = self.augmentation.matrices(len(places), generator)
            features = None if self.features is None else self.features[places]
            yield TrainingBatch(self.galaxies, self.rows[places], movement, features)
