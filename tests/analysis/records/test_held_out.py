"""Held-out galaxies: arrays that pair up, of which only the rows asked for are read."""

import numpy as np
import pytest

from analysis.records.held_out import HeldOut, ImageRows
from trainables.galaxies.galaxy_file import Galaxies


def test_held_out_arrays_must_pair_up(toys: Galaxies) -> None:
    with pytest.raises(ValueError, match=r"a: predicted must be \(200, 37\), got \(200, 36\)"):
        HeldOut("a", toys.ids, toys.images, toys.target, toys.target[:, :36])


def test_some_rows_of_mapped_images_are_an_array_of_them(toys: Galaxies) -> None:
    rows = ImageRows(toys.images, np.array([5, 3, 150]))
    assert len(rows) == 3 and rows.shape == (3, 64, 64, 3)
    np.testing.assert_array_equal(rows[1], toys.images[3])
    np.testing.assert_array_equal(rows[1:], toys.images[[3, 150]])
    np.testing.assert_array_equal(rows[[2, 0]], toys.images[[150, 5]])
