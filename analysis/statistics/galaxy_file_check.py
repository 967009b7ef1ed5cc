"""The check of a galaxy file, which reads the file from end to end."""

from pathlib import Path

import numpy as np

from analysis.records import JsonDocument
from analysis.statistics.reference_values import noise_floor
from trainables.decision_tree import tree_residuals
from trainables.galaxies import fingerprint, open_galaxies

_LARGEST_HONEST_RESIDUAL = 1e-3  # Kaggle's fractions are rounded to six digits


class GalaxyFileCheck(JsonDocument):
    """A summary of a galaxy file that was read from end to end."""

    num_galaxies: int
    """Number of galaxies."""
    fingerprint: str
    """The text "sha256:" and the SHA-256 digest of the file's arrays, in hexadecimal digits."""
    max_tree_residual: float
    """Largest absolute tree residual of the votes, over all galaxies and questions."""
    noise_floor: float
    """RMSE of a perfect predictor, which is above 0 because the number of volunteers is finite.

    If the file does not give the number of volunteers of each galaxy, 44 are assumed.
    """
    image_side: int
    """Pixels along a side of an image."""
    num_unbiased: int | None
    """Number of galaxies that may serve for validation or test; null if the file marks none."""

    @property
    def misses_the_tree(self) -> bool:
        """True if `max_tree_residual` is above 0.001, which rounding cannot explain."""
        return self.max_tree_residual > _LARGEST_HONEST_RESIDUAL


def check_galaxy_file(file: Path) -> GalaxyFileCheck:
    """Read a galaxy file from end to end and return a summary of its contents.

    file: path of an npz file. InvalidInput is raised if the file does not exist, cannot be read,
    is damaged or has the wrong form. Compressed images are first unpacked into galaxytune's cache
    folder.
    """
    galaxies = open_galaxies(file)
    return GalaxyFileCheck(
        num_galaxies=len(galaxies),
        fingerprint=fingerprint(file),
        max_tree_residual=float(np.abs(tree_residuals(galaxies.target.astype(np.float64))).max()),
        noise_floor=noise_floor(galaxies.target, galaxies.num_votes),
        image_side=galaxies.images.shape[1],
        num_unbiased=None if galaxies.unbiased is None else int(galaxies.unbiased.sum()),
    )
