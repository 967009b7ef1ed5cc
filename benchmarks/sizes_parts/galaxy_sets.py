"""The sets of galaxies on which benchmarks/sizes.py measures, with a galaxy file for each side."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from search_spaces.declaration import InvalidInput
from trainables.galaxies import (
    build_from_kaggle,
    fitted_image,
    open_galaxies,
    save_galaxies,
)
from trainables.simulation import simulate_galaxies

_RENDERED = 128  # pixels; side of the simulated galaxies


@dataclass(frozen=True)
class GalaxySet:
    """A set of galaxies: its name, and the galaxy file for a side in pixels.

    told: what the files hold, for the heading of the table.
    """

    name: str
    told: str
    file_of: Callable[[int], Path]


def simulated_set(folder: Path, num_galaxies: int) -> GalaxySet:
    """Return the set of simulated galaxies; files not in `folder` are made when needed."""

    def file_of(side: int) -> Path:
        """Return the file with images of `side` pixels, at most 128."""
        if side > _RENDERED:
            raise InvalidInput(f"simulated galaxies have at most {_RENDERED} pixels, got {side}")
        path = folder / f"simulated-{side}.npz"
        if not path.exists():
            made = simulate_galaxies(num_galaxies, seed=0, side=_RENDERED)
            images = [fitted_image(one, crop=_RENDERED, side=side) for one in made.images]
            columns = {name: getattr(made, name) for name in ("target", "ids", "num_votes")}
            save_galaxies(path, {"images": np.stack(images), **columns})
        return path

    told = f"{num_galaxies:,} simulated galaxies, rendered at {_RENDERED} pixels and reduced"
    return GalaxySet("simulated", told, file_of)


def given_set(data: Path) -> GalaxySet:
    """Return the set of a galaxy file, which serves for every side."""
    galaxies = open_galaxies(data)
    side = galaxies.images.shape[1]
    told = f"{len(galaxies):,} galaxies of a file that holds {side} pixels; larger sides enlarge"
    return GalaxySet("data", told, lambda _: data)


def kaggle_set(folder: Path, source: Path, crop: int) -> GalaxySet:
    """Return the set of Kaggle's JPEG files; files not in `folder` are made when needed."""

    def file_of(side: int) -> Path:
        """Return the file with images of `side` pixels."""
        path = folder / f"kaggle-{side}.npz"
        if not path.exists():
            build_from_kaggle(source, path, crop=crop, side=side)
        return path

    return GalaxySet(
        "kaggle", f"JPEG files, cut to {crop} pixels and reduced to each side", file_of
    )
