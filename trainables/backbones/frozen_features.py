"""The features that a frozen backbone computes of each galaxy, cached for all trials of a machine.

A trial that trains only the head validates on the cached features. The trial also trains on the
cached features if its augmentation changes nothing.
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

from search_spaces.declaration import TrainingProtocol
from trainables.device import MicroBatch
from trainables.galaxies import Galaxies, cache_folder, network_input
from trainables.layers import GalaxyNetwork

_BATCH = 64  # images
# Fields of a config that decide the features.
_DECIDING = ("architecture", "as_published", "input_side", "pooling", "field_fraction")
_LIBRARIES = ("torch", "torchvision", "timm")  # another version may compute other features


def frozen_digest(network: GalaxyNetwork) -> str:
    """Return the SHA-256 digest, in hexadecimal, of the names and numbers of all frozen tensors.

    The frozen tensors are those of `network.frozen_names()`, and the buffers that the state_dict
    leaves out, such as the mean of the normalisation.
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
    """Return the features [len(rows), F] of some galaxies, mapped from a file in the cache.

    The array is read-only and has the order of `rows`. Features that are not in the cache are
    computed first, in batches of 64 galaxies or of as many as memory holds, and written to the
    folder `features` of `cache_folder`. Then the network is left in evaluation mode. Other
    processes that need the same features wait.

    config: the config of `network`. network: a network with frozen features. rows: row numbers in
    `galaxies`, at least one. device: the device on which the network is. OutOfMemory is raised if
    memory does not hold a batch of one galaxy, OSError if the cache cannot be written, and
    TypeError if the network has no `features`.
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
    """Write batches of features [b, F] as one npy file [num_rows, F] float32.

    num_rows: number of rows of all batches together, at least 1. Any error, also of `batches`,
    removes the file and is raised again; an OSError names the file. The file is written and not
    mapped, because a mapped file on a full disk kills the process.
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
            os.fsync(file.fileno())  # after a power cut the file must not lack features
    except BaseException as error:
        path.unlink(missing_ok=True)
        if isinstance(error, OSError):
            error.filename = error.filename or str(path)  # the error of a full disk names no file
        raise


@torch.no_grad()
def _features_in_batches(
    network: GalaxyNetwork, galaxies: Galaxies, rows: NDArray[np.int64], device: torch.device
) -> Iterator[NDArray[np.float32]]:
    """Yield the features [b, F] float32 of the rows, in order, a batch at a time.

    network: the network whose backbone is frozen, on `device`; it is left in evaluation mode.
    rows: row numbers in `galaxies`. A batch has at most 64 galaxies. If memory does not hold a
    batch, the batch and all later batches are computed with half as many galaxies. OutOfMemory is
    raised if memory does not hold a batch of one galaxy.
    """
    network.eval()
    batch = MicroBatch("feature", _BATCH, network.image_side, device)

    def computed(start: int, size: int) -> NDArray[np.float32]:
        """Return the features [b, F] of at most `size` rows, from rows[start] on."""
        pixels = galaxies.images[rows[start : start + size]]
        features = network.features(network_input(network, pixels, device))
        found: NDArray[np.float32] = features.float().cpu().numpy()
        return found

    done = 0
    while done < len(rows):
        features = batch.fitting(len(rows) - done, partial(computed, done))
        done += len(features)
        yield features
