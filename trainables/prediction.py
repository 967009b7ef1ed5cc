"""What a network predicts for many galaxies, a batch at a time."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainables.image_batches import enlarged, to_images
from trainables.micro_batch import MicroBatch
from trainables.network import IMAGE_SIDE, GalaxyNetwork

_FEATURES = 512  # galaxies whose features are known
# Galaxies of 64 pixels, fewer of larger ones. A processor is quickest with what its cache holds:
# the simple CNN predicts 2,159 galaxies a second by 32, 943 by 512 (one core of an AMD EPYC,
# torch 2.15, 2026-11-23), and takes half a GiB less.
_IMAGES = {"cpu": 32}
_IMAGES_ON_ACCELERATORS = 512


def prediction_batch(
    network: GalaxyNetwork, device: torch.device, *, of_features: bool = False
) -> MicroBatch:
    """How many galaxies are predicted at once, unless memory holds fewer."""
    side = network.image_side
    num_images = _IMAGES.get(device.type, _IMAGES_ON_ACCELERATORS)
    num = _FEATURES if of_features else max(1, num_images * IMAGE_SIDE**2 // side**2)
    return MicroBatch("prediction", num, side, device)


@torch.no_grad()
def predict(
    network: GalaxyNetwork,
    pixels: NDArray[np.uint8],
    device: torch.device,
    rows: NDArray[np.integer] | None = None,
    *,
    batch: MicroBatch | None = None,
) -> NDArray[np.float32]:
    """Vote fractions [N, 37] for pixels [M, S, S, 3], or for some `rows` of them.

    Mapped pixels are read a batch at a time. The network is left in evaluation mode. A `batch`
    that is halved for want of memory stays so for its owner; OutOfMemory if 1 is too many.
    """
    network.eval()
    side = network.image_side
    chosen = np.arange(len(pixels)) if rows is None else rows

    def predicted(part: slice) -> Tensor:
        votes: Tensor = network(enlarged(to_images(pixels[chosen[part]], device, side), side))
        return votes

    return _in_batches(predicted, len(chosen), batch or prediction_batch(network, device))


@torch.no_grad()
def predict_from_features(
    network: GalaxyNetwork,
    features: NDArray[np.float32],
    device: torch.device,
    batch: MicroBatch,
) -> NDArray[np.float32]:
    """Vote fractions [N, 37] for what `network.features` gave, [N, F], mapped or not."""
    network.eval()

    def predicted(part: slice) -> Tensor:
        return network.head(torch.from_numpy(features[part].copy()).to(device))

    return _in_batches(predicted, len(features), batch)


def _in_batches(
    predicted: Callable[[slice], Tensor], num: int, batch: MicroBatch
) -> NDArray[np.float32]:
    def attempt(size: int) -> NDArray[np.float32]:
        parts = [predicted(slice(i, i + size)) for i in range(0, num, size)]
        found: NDArray[np.float32] = torch.cat(parts).float().cpu().numpy()
        return found

    return batch.fitting(num, attempt)
