"""The sources of a training batch's pixels and votes: the mapped file, or a GPU's memory."""

import torch
from torch import Tensor

from trainables.galaxies.galaxy_file import Galaxies
from trainables.galaxies.image_batches import sent


class MappedGalaxies:
    """A source of galaxies that leaves the pixels in the mapped file until a batch needs them.

    All processes of a node share the mapped file's pages of memory.

    device: the device on which batches are returned. rows_on: the device on which the row numbers
    passed to `pixels` and `votes` must be; here the CPU.
    """

    def __init__(self, galaxies: Galaxies, device: torch.device) -> None:
        """Store the galaxies and the device of the batches; nothing is copied yet."""
        self._galaxies, self.device = galaxies, device
        self.rows_on = torch.device("cpu")

    def pixels(self, rows: Tensor) -> Tensor:
        """Return a copy of the pixels [b, S, S, 3] uint8 of the rows [b], on `device`.

        rows: integer row numbers in the galaxy file, on the CPU. A row number that the file does
        not have raises IndexError. The copy to a GPU may still run (see `sent`).
        """
        return sent(self._galaxies.images[rows.numpy()], self.device)

    def votes(self, rows: Tensor) -> Tensor:
        """Return a copy of the vote fractions [b, 37] float32 of the rows [b], on `device`.

        rows: integer row numbers in the galaxy file, on the CPU. A row number that the file does
        not have raises IndexError. The copy to a GPU may still run (see `sent`).
        """
        return sent(self._galaxies.target[rows.numpy()], self.device)


class ResidentGalaxies:
    """A source of galaxies that holds all pixels and votes in a GPU's memory.

    device: the device on which batches are returned. rows_on: the device on which the row numbers
    passed to `pixels` and `votes` must be; here the same device.
    """

    def __init__(self, galaxies: Galaxies, device: torch.device) -> None:
        """Copy all galaxies to `device`; a galaxy of 64 x 64 pixels takes 12 KB.

        torch.OutOfMemoryError is raised if the GPU's memory does not hold the galaxies.
        """
        self.device = self.rows_on = device
        self._pixels = torch.empty(galaxies.images.shape, dtype=torch.uint8, device=device)
        for start in range(0, len(galaxies), 4096):  # the host holds one part at a time
            part = slice(start, start + 4096)
            self._pixels[part] = sent(galaxies.images[part].copy(), device)
        self._votes = sent(galaxies.target, device)

    def pixels(self, rows: Tensor) -> Tensor:
        """Return a copy of the pixels [b, S, S, 3] uint8 of the rows [b], on `device`.

        rows: integer row numbers in the galaxy file, on `device`.
        """
        return self._pixels[rows]

    def votes(self, rows: Tensor) -> Tensor:
        """Return a copy of the vote fractions [b, 37] float32 of the rows [b], on `device`.

        rows: integer row numbers in the galaxy file, on `device`.
        """
        return self._votes[rows]


GalaxySource = MappedGalaxies | ResidentGalaxies
# At most one entry: the galaxies that this process copied to a GPU last, for its later runs.
_resident: dict[tuple[str, torch.device], ResidentGalaxies] = {}


def galaxy_source(galaxies: Galaxies, device: torch.device) -> GalaxySource:
    """Return a source in a GPU's memory if the images are small, and otherwise the mapped file.

    galaxies: all galaxies of a file. device: the device on which batches are wanted; without CUDA
    the source is always the mapped file. Images are small if they take at most an eighth of the
    GPU's memory and at most half of the memory that is free, because several trials may share a
    GPU.

    A copy stays in the GPU's memory after the call, until other galaxies are copied or the Python
    process ends. A later call with the same galaxies and device returns the same copy.
    """
    if device.type != "cuda":
        return MappedGalaxies(galaxies, device)
    key = (galaxies.identity, device)
    if key not in _resident:
        free, total = torch.cuda.mem_get_info(device)
        if galaxies.images.nbytes > min(total / 8, free / 2):
            return MappedGalaxies(galaxies, device)
        _resident.clear()
        _resident[key] = ResidentGalaxies(galaxies, device)
    return _resident[key]
