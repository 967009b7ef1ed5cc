"""What a frozen backbone makes of each galaxy, computed once a machine and mapped by every trial.

A head-only trial whose augmentation does nothing trains on these alone; any head-only trial
validates on them.
"""

import hashlib
import importlib.metadata
import os
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock
from numpy.typing import NDArray

from search_spaces.declaration.training_protocol import TrainingProtocol
from trainables.galaxies.galaxy_file import Galaxies, cache_folder
from trainables.image_batches import enlarged, to_images
from trainables.micro_batch import MicroBatch
from trainables.network import GalaxyNetwork

_BATCH = 64
_DECIDING = ("architecture", "as_published", "input_side", "pooling")
_LIBRARIES = ("torch", "torchvision", "timm")  # another version may compute other features


def frozen_digest(network: GalaxyNetwork) -> str:
    """SHA-256 over names and numbers of all that is frozen in a network.

    Among them the buffers that its state_dict leaves out, such as the mean of its normalisation.
    """
    digest = hashlib.sha256()
    state = network.state_dict()
    frozen = {name: state[name] for name in network.frozen_names()}
    frozen |= {name: buffer for name, buffer in network.named_buffers() if name not in state}
    for name in sorted(frozen):
        digest.update(name.encode())
        digest.update(frozen[name].detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def cached_features(
    config: TrainingProtocol,
    network: GalaxyNetwork,
    galaxies: Galaxies,
    rows: NDArray[np.int64],
    device: torch.device,
) -> NDArray[np.float32]:
    """Features [len(rows), F] of some galaxies, mapped from the cache; made first if need be.

    They are made 64 galaxies at a time, or as many as memory holds; OutOfMemory if 1 is too many.
    """
    key = hashlib.sha256()
    chosen = {name: getattr(config, name, None) for name in _DECIDING}
    versions = [importlib.metadata.version(library) for library in _LIBRARIES]
    key.update(f"{chosen} {network.image_side} {versions}".encode())
    key.update(f"{galaxies.identity} {frozen_digest(network)}".encode())
    key.update(rows.tobytes())
    folder = cache_folder() / "features"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{key.hexdigest()[:24]}.npy"
    with FileLock(f"{path}.lock"):
        if not path.exists():
            unfinished = path.with_suffix(".partial")
            batches = _features_in_batches(network, galaxies, rows, device)
            _write_features(unfinished, batches, len(rows))
            unfinished.replace(path)
    return np.load(path, mmap_mode="r")


def _write_features(path: Path, batches: Iterable[NDArray[np.float32]], num_rows: int) -> None:
    """Write batches [b, F] of `num_rows` in all as one array [num_rows, F], or leave no file.

    Written, not mapped: a mapped file on a full disk kills the process.
    """
    try:
        with path.open("wb") as file:
            for number, features in enumerate(batches):
                if number == 0:
                    form = {"descr": "<f4", "fortran_order": False}
                    shape = (num_rows, features.shape[1])
                    np.lib.format.write_array_header_1_0(file, {**form, "shape": shape})
                file.write(features.astype("<f4").tobytes())
            file.flush()
            os.fsync(file.fileno())  # a power cut must not leave a hole among the features
    except BaseException as error:
        path.unlink(missing_ok=True)
        if isinstance(error, OSError):
            error.filename = error.filename or str(path)  # a full disk does not say whose it was
        raise


@torch.no_grad()
def _features_in_batches(
    network: GalaxyNetwork, galaxies: Galaxies, rows: NDArray[np.int64], device: torch.device
) -> Iterator[NDArray[np.float32]]:
    """Features [b, F] of the rows in turn; OutOfMemory where even 1 galaxy is too many.

    A batch that memory does not hold is computed anew with half as many galaxies, and so are
    all after it; those before it stand.
    """
    network.eval()
    side = network.image_side
    batch = MicroBatch("feature", _BATCH, side, device)

    def computed(start: int, size: int) -> NDArray[np.float32]:
        images = to_images(galaxies.images[rows[start : start + size]], device, side)
        found: NDArray[np.float32] = network.features(enlarged(images, side)).float().cpu().numpy()
        return found

    done = 0
    while done < len(rows):
        features = batch.fitting(len(rows) - done, partial(computed, done))
        done += len(features)
        yield features
