"""Galaxy sources: a processor trains on the mapped file, of which nothing is copied."""

import numpy as np
import torch

from trainables.galaxies.galaxy_file import Galaxies
from trainables.galaxies.galaxy_sources import MappedGalaxies, galaxy_source

CPU = torch.device("cpu")


def test_a_processor_trains_on_the_mapped_file(toys: Galaxies) -> None:
    source = galaxy_source(toys, CPU)
    assert isinstance(source, MappedGalaxies)
    held = [value for value in vars(source).values() if isinstance(value, np.ndarray)]
    assert held == [] and isinstance(toys.images, np.memmap)
    rows = torch.tensor([3, 190, 7])
    np.testing.assert_array_equal(source.pixels(rows).numpy(), toys.images[[3, 190, 7]])
    np.testing.assert_array_equal(source.votes(rows).numpy(), toys.target[[3, 190, 7]])
