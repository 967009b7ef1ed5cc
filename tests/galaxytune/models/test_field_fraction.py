"""A model that sees a part of its images: trained, exported, predicting and explaining alike."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from galaxytune.models import load_export, predict_images, train_single
from galaxytune.models.explanation import explain_image
from galaxytune.models.export_folder import Export
from search_spaces.declaration import InvalidInput, config_from_values
from trainables.decision_tree import COLUMNS
from trainables.galaxies import open_galaxies, save_galaxies, split_galaxies
from trainables.training.metrics import rmse


@pytest.fixture(scope="module")
def wide_npz(toy_npz: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy galaxies as images of 92 pixels that show the survey's central 300 pixels."""
    with np.load(toy_npz) as stored:
        arrays = dict(stored)
    wide = [np.asarray(Image.fromarray(one).resize((92, 92))) for one in arrays["images"]]
    path = tmp_path_factory.mktemp("wide") / "wide.npz"
    save_galaxies(path, arrays | {"images": np.stack(wide), "crop": np.array(300)})
    return path


@pytest.fixture(scope="module")
def folder(wide_npz: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export folder of a network that sees the central 64 of 92 pixels."""
    values = {"architecture": "simple_cnn", "width": 0.1, "epochs": 1, "field_fraction": 0.7}
    out = tmp_path_factory.mktemp("seen") / "model"
    train_single(config_from_values(values), wide_npz, out)
    return out


@pytest.fixture(scope="module")
def export(folder: Path) -> Export:
    return load_export(folder)


def test_predictions_have_the_rmse_of_the_validation(
    export: Export, folder: Path, wide_npz: Path
) -> None:
    found = predict_images(export, wide_npz)
    galaxies = open_galaxies(wide_npz)
    rows = split_galaxies(galaxies, "hash").validation
    predicted = found.table[list(COLUMNS)].to_numpy(np.float32)[rows]
    stored = json.loads((folder / "metrics.json").read_text())["validation"]
    assert rmse(predicted, galaxies.target[rows]) == pytest.approx(stored["rmse"], abs=1e-7)
    assert found.framing == (
        "200 images were used uncut at 92 x 92 pixels; the network sees the central "
        "64 x 64 pixels of them"
    )


def test_nothing_outside_the_part_changes_a_prediction(export: Export) -> None:
    survey = np.random.default_rng(0).integers(0, 256, (1, 300, 300, 3), np.uint8)
    framed = survey.copy()
    framed[:, :40] = framed[:, -40:] = framed[:, :, :40] = framed[:, :, -40:] = 255
    once, other = (predict_images(export, images).table for images in (survey, framed))
    assert once.equals(other)  # 40 of 300 pixels are 12 of 92, and the part begins at 14
    framed[:, :60] = 255
    assert not once.equals(predict_images(export, framed).table)


def test_the_heat_map_lies_on_the_part_that_is_seen(export: Export) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (92, 92, 3), np.uint8)
    explained = explain_image(export, pixels, 1)
    np.testing.assert_array_equal(explained.pixels, pixels[14:78, 14:78])
    assert explained.heat.shape == (64, 64)


def test_the_card_names_the_part(folder: Path) -> None:
    card = (folder / "README.md").read_text()
    assert "reduced to 92 x 92 pixels" in card
    assert "The network sees the central 64 x 64 of these pixels and cuts them itself" in card


@pytest.mark.parametrize("fraction", [0, -0.5, 1.1])
def test_a_fraction_out_of_its_range_is_refused(fraction: float) -> None:
    with pytest.raises(InvalidInput, match="^field_fraction: Input should be (less|greater)"):
        config_from_values({"architecture": "simple_cnn", "field_fraction": fraction})
