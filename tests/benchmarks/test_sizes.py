"""Tests of benchmarks/sizes.py: what it compares, and how it keeps what it has trained."""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.sizes import Contender, contenders, difference, measure
from benchmarks.sizes_parts.galaxy_sets import given_set, simulated_set
from search_spaces.declaration import InvalidInput
from trainables.galaxies import open_galaxies


def arguments(out: Path, **changes: Any) -> argparse.Namespace:
    """Arguments of tiny trainings."""
    values: dict[str, Any] = {
        "out": out,
        "data": None,
        "kaggle": None,
        "crop": 210,
        "minutes": 1e-5,
        "seeds": 2,
        "sides": [16, 24],
        "widths": [0.05],
        "num_simulated": 60,
    }
    return argparse.Namespace(**values | changes)


def test_each_side_has_one_width_and_each_width_one_side() -> None:
    assert contenders([64, 96], [1.0, 1.5, 2.0]) == [
        Contender(64, 1.0),
        Contender(96, 1.0),
        Contender(64, 1.5),
        Contender(64, 2.0),
    ]


def test_smaller_simulated_images_are_reductions_of_the_same_galaxies(tmp_path: Path) -> None:
    made = simulated_set(tmp_path, 5)
    large, small = (open_galaxies(made.file_of(side)) for side in (128, 32))
    assert (large.images.shape[1], small.images.shape[1]) == (128, 32)
    np.testing.assert_array_equal(large.target, small.target)
    means = large.images.mean(axis=(1, 2, 3)), small.images.mean(axis=(1, 2, 3))
    np.testing.assert_allclose(*means, rtol=0.05)
    with pytest.raises(InvalidInput, match="at most 128 pixels, got 160"):
        made.file_of(160)


def test_a_given_file_serves_for_every_side(toy_npz: Path) -> None:
    given = given_set(toy_npz)
    assert given.file_of(64) == given.file_of(128) == toy_npz
    assert "a file that holds 64 pixels" in given.told


def test_a_difference_is_paired_by_seed_and_by_galaxy() -> None:
    voted = np.random.default_rng(0).random((50, 37)).astype(np.float32)
    errors = [np.random.default_rng(s).normal(0, 0.1, voted.shape) for s in (1, 2)]
    first = [(voted + e).astype(np.float32) for e in errors]
    other = [(voted + 0.9 * e).astype(np.float32) for e in errors]
    mean, seeds, galaxies = difference(first, other, voted).split(" | ")
    assert float(mean) == pytest.approx(-0.01, abs=3e-4)
    for interval in (seeds, galaxies):
        low, high = map(float, interval.split(" to "))
        assert low < float(mean) < high < 0


@pytest.mark.slow
def test_what_is_trained_is_kept_and_other_settings_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    measure(arguments(tmp_path))
    first = (tmp_path / "table.md").read_text()
    assert "| 16px-width0.05 | " in first and "| 24px-width0.05 | " in first
    trained = tmp_path / "simulated" / "24px-width0.05" / "seed1" / "model.safetensors"
    before = trained.stat().st_mtime_ns
    measure(arguments(tmp_path))
    assert (tmp_path / "table.md").read_text() == first
    assert trained.stat().st_mtime_ns == before
    with pytest.raises(InvalidInput, match="begun with another minutes; give another --out"):
        measure(arguments(tmp_path, minutes=2.0))
