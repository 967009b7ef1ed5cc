"""The vote fractions that a network predicts for many galaxies, one batch at a time."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainables.decision_tree import NUM_ANSWERS
from trainables.device import MicroBatch
from trainables.galaxies import network_input
from trainables.layers import IMAGE_SIDE, GalaxyNetwork
from trainables.training.views import NumViews, views

_FEATURES = 512  # galaxies at once if features are the input
# Images of 64 x 64 pixels at once; of larger images, as many as have the same number of pixels.
# A CPU is fastest with a batch that its cache holds. The simple CNN predicts 2,159 galaxies per
# second in batches of 32 and 943 in batches of 512, and batches of 32 take half a GiB less memory
# (one core of an AMD EPYC, torch 2.15, 2026-11-23).
_IMAGES = {"cpu": 32}
_IMAGES_ON_ACCELERATORS = 512


def prediction_batch(
    network: GalaxyNetwork, device: torch.device, *, of_features: bool = False
) -> MicroBatch:
    """Return a MicroBatch with the number of galaxies that are predicted at once.

    The number is 32 images of 64 x 64 pixels on a CPU and 512 on any other device, or as many
    larger images as have the same number of pixels, but at least 1; 512 if the input is features.
    Predicting halves the number later if memory does not hold so many. of_features: True if the
    input is features, not images.
    """
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
    num_views: NumViews = 1,
) -> NDArray[np.float32]:
    """Return the network's vote fractions [N, 37] for pixels, as a new array in main memory.

    network: a network on `device`, which is left in evaluation mode. pixels: uint8 [M, S, S, 3];
    memory-mapped pixels are read one batch at a time. rows: the row numbers [N] to predict, or
    None for all M rows. batch: galaxies predicted at once, or None for the default of
    `prediction_batch`. num_views: 1, or 8 to average the predictions of the eight rotations by 90
    degrees and mirrorings of each image, which takes eight times as long.

    If memory does not hold a batch, `batch` is halved and stays halved for the caller. OutOfMemory
    is raised if memory does not hold even 1 galaxy, ValueError if there is no galaxy to predict.
    """
    network.eval()
    chosen = np.arange(len(pixels)) if rows is None else rows

    def predicted(part: slice) -> Tensor:
        images = network_input(network, pixels[chosen[part]], device)
        votes = [network(view) for view in views(images, num_views)]
        return torch.stack(votes).mean(dim=0) if num_views > 1 else votes[0]

    return _in_batches(predicted, len(chosen), batch or prediction_batch(network, device))


@torch.no_grad()
def predict_by_one_and_eight(
    network: GalaxyNetwork,
    pixels: NDArray[np.uint8],
    device: torch.device,
    rows: NDArray[np.integer] | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return what `predict` returns for 1 view and for 8 views, each [N, 37].

    The view that both have is computed once. The arguments and the errors are those of `predict`.
    """
    network.eval()
    chosen = np.arange(len(pixels)) if rows is None else rows

    def predicted(part: slice) -> Tensor:
        images = network_input(network, pixels[chosen[part]], device)
        votes = torch.stack([network(view) for view in views(images, 8)])
        return torch.cat([votes[0], votes.mean(dim=0)], dim=1)

    both = _in_batches(predicted, len(chosen), prediction_batch(network, device))
    return both[:, :NUM_ANSWERS], both[:, NUM_ANSWERS:]


@torch.no_grad()
def predict_from_features(
    network: GalaxyNetwork,
    features: NDArray[np.float32],
    device: torch.device,
    batch: MicroBatch,
) -> NDArray[np.float32]:
    """Return the network's vote fractions [N, 37] for features [N, F], as in `predict`.

    network: a network on `device` that has the methods `features` and `head`; the network is left
    in evaluation mode. features: what `network.features` returned, in memory or memory-mapped.
    `batch` is halved, and OutOfMemory or ValueError raised, as in `predict`.
    """
    network.eval()

    def predicted(part: slice) -> Tensor:
        return network.head(torch.from_numpy(features[part].copy()).to(device))

    return _in_batches(predicted, len(features), batch)


def _in_batches(
    predicted: Callable[[slice], Tensor], num: int, batch: MicroBatch
) -> NDArray[np.float32]:
    """Return the predictions [num, A] of `num` galaxies, computed at most `batch.size` at once.

    predicted: maps a slice of 0..num to predictions [b, A]. OutOfMemory and ValueError are raised
    as in `predict`.
    """

    def attempt(size: int) -> NDArray[np.float32]:
        parts = [predicted(slice(i, i + size)) for i in range(0, num, size)]
        found: NDArray[np.float32] = torch.cat(parts).float().cpu().numpy()
        return found

    return batch.fitting(num, attempt)
