"""What a frozen backbone makes of each galaxy, computed once a machine and mapped by every trial.

A head-only trial whose augmentation does nothing trains on these alone; any head-only trial
validates on them.
"""

import hashlib
import importlib.metadata
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock
from numpy.typing import NDArray

from search_spaces.declaration.training_protocol import TrainingProtocol
from trainables.galaxies.galaxy_file import Galaxies, cache_folder
from trainables.image_batches import enlarged, to_images
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
    """Features [len(rows), F] of some galaxies, mapped from the cache; made first if need be."""
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
            partial = path.with_suffix(".partial")
            _write_features(partial, network, galaxies, rows, device)
            partial.replace(path)
    return np.load(path, mmap_mode="r")


@torch.no_grad()
def _write_features(
    path: Path,
    network: GalaxyNetwork,
    galaxies: Galaxies,
    rows: NDArray[np.int64],
    device: torch.device,
) -> None:
    network.eval()
    out = None
    for start in range(0, len(rows), _BATCH):
        pixels = galaxies.images[rows[start : start + _BATCH]]
        images = enlarged(to_images(pixels, device, network.image_side), network.image_side)
        features = network.features(images).cpu().numpy()
        if out is None:
            shape = (len(rows), features.shape[1])
            out = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape)
        out[start : start + len(features)] = features
    if out is not None:
        out.flush()
