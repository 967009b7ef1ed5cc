"""What a galaxy file holds: counted, fingerprinted, and held against the decision tree."""

from pathlib import Path

import numpy as np
import pytest

from analysis.statistics.galaxy_file_check import check_galaxy_file
from analysis.statistics.reference_values import noise_floor
from trainables.galaxies.galaxy_file import Galaxies, fingerprint, save_galaxies


def test_a_galaxy_file_is_described(toy_npz: Path, toys: Galaxies) -> None:
    found = check_galaxy_file(toy_npz)
    assert (found.num_galaxies, found.image_side, found.num_unbiased) == (200, 64, None)
    assert found.fingerprint == fingerprint(toy_npz)
    assert found.noise_floor == noise_floor(toys.target, toys.num_votes)
    assert found.max_tree_residual < 1e-5 and not found.misses_the_tree


def test_votes_that_miss_the_tree_and_galaxies_fit_to_be_held_out_are_told(
    toys: Galaxies, tmp_path: Path
) -> None:
    target = toys.target[:9].copy()
    target[4, 0] += 0.002 if target[4, 0] < 0.5 else -0.002
    unbiased = np.arange(9) % 3 == 0
    arrays = {"images": toys.images[:9], "target": target, "unbiased": unbiased}
    save_galaxies(tmp_path / "g.npz", arrays)
    found = check_galaxy_file(tmp_path / "g.npz")
    assert found.max_tree_residual == pytest.approx(0.002, rel=0.01)
    assert found.misses_the_tree and found.num_unbiased == 3
    assert found.as_values()["num_unbiased"] == 3
