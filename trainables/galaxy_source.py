"""Where training batches take pixels and votes from: the mapped file, or a GPU's own memory."""

import torch
from torch import Tensor

from trainables.galaxies.galaxy_file import Galaxies
from trainables.image_batches import sent


class MappedGalaxies:
    """Galaxies whose pixels stay in the mapped file, whose pages all processes of a node share."""

    def __init__(self, galaxies: Galaxies, device: torch.device) -> None:
        """Batches are copied from the file to `device`; nothing is copied now."""
        self._galaxies, self.device = galaxies, device
        self.rows_on = torch.device("cpu")  # where rows must be that are asked for

    def pixels(self, rows: Tensor) -> Tensor:
        """Pixels [b, S, S, 3] uint8 of some rows [b]."""
        return sent(self._galaxies.images[rows.numpy()], self.device)

    def votes(self, rows: Tensor) -> Tensor:
        """Vote fractions [b, 37] of some rows [b]."""
        return sent(self._galaxies.target[rows.numpy()], self.device)


class ResidentGalaxies:
    """Galaxies copied to a GPU, once for all runs of this process."""

    def __init__(self, galaxies: Galaxies, device: torch.device) -> None:
        """Copy them now, 12 KB a galaxy of 64 pixels."""
        self.device = self.rows_on = device
        self._pixels = torch.empty(galaxies.images.shape, dtype=torch.uint8, device=device)
        for start in range(0, len(galaxies), 4096):  # so that the host holds only a part
            part = slice(start, start + 4096)
            self._pixels[part] = sent(galaxies.images[part].copy(), device)
        self._votes = sent(galaxies.target, device)

    def pixels(self, rows: Tensor) -> Tensor:
        """Pixels [b, S, S, 3] uint8 of some rows [b]."""
        return self._pixels[rows]

    def votes(self, rows: Tensor) -> Tensor:
        """Vote fractions [b, 37] of some rows [b]."""
        return self._votes[rows]


GalaxySource = MappedGalaxies | ResidentGalaxies
_resident: dict[tuple[str, torch.device], ResidentGalaxies] = {}  # of the file last asked for


def galaxy_source(galaxies: Galaxies, device: torch.device) -> GalaxySource:
    """A GPU's own memory where the galaxies fill but little of it, else the mapped file.

    Little is an eighth of it, and half of what is free: several trials may share a GPU.
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
