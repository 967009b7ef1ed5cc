"""Tests of what benchmarks/views.py measures of an export."""

from pathlib import Path

import pytest

from benchmarks.views import Measured, measured_networks, row
from galaxytune.models import train_single
from search_spaces.declaration import InvalidInput, config_from_values
from trainables.galaxies import open_galaxies, split_galaxies


@pytest.fixture(scope="module")
def export(toy_npz: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export of a small network that has trained for one epoch."""
    folder = tmp_path_factory.mktemp("views") / "model"
    train_single(
        config_from_values({"architecture": "simple_cnn", "width": 0.05, "epochs": 1}),
        toy_npz,
        folder,
    )
    return folder


def test_an_export_is_measured_on_the_validation_galaxies(export: Path, toy_npz: Path) -> None:
    (one,) = measured_networks(export, toy_npz, "hash")
    rows = split_galaxies(open_galaxies(toy_npz), "hash").validation
    assert one.rows.tolist() == rows.tolist() and one.name == "model, simple_cnn"
    few = Measured(one.name, one.network, one.galaxies, one.rows[:6])
    cells = [cell.strip() for cell in row(few, repeats=1).split("|")[1:-1]]
    assert cells[:2] == ["model, simple_cnn", "6"]
    once, averaged = float(cells[2]), float(cells[3])
    assert float(cells[4].split(" %")[0]) == pytest.approx(100 * (averaged / once - 1), abs=0.02)
    assert float(cells[5]) > 1


def test_an_export_needs_the_galaxy_file(export: Path) -> None:
    with pytest.raises(InvalidInput, match="is an export; --data must name the galaxy file"):
        list(measured_networks(export, None, "hash"))
