"""Predictions of an export folder for images from anywhere."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from galaxytune.api.model import load_model
from search_spaces.declaration.errors import InvalidInput
from tests.support.command_line import Cli
from trainables.decision_tree import COLUMNS


def test_predict_reads_folder_zip_npz_and_catalog_alike(
    cli: Cli, trained: Path, toy_npz: Path, tmp_path: Path
) -> None:
    pixels = np.load(toy_npz)["images"][:3]
    folder = tmp_path / "images"
    folder.mkdir()
    for i, image in enumerate(pixels):
        Image.fromarray(image).save(folder / f"g{i}.png")
    catalog = pd.DataFrame({"id_str": ["g0", "g1", "g2"]})
    catalog["file_loc"] = [f"images/g{i}.png" for i in range(3)]
    catalog.to_csv(tmp_path / "catalog.csv")
    catalog.to_parquet(tmp_path / "catalog.parquet")
    assert cli("predict", trained, folder, "folder.csv") == 0
    assert cli("predict", trained, "catalog.csv", "catalog_csv.CSV") == 0
    assert cli("predict", trained, "catalog.parquet", "table.parquet") == 0
    assert cli("predict", trained, toy_npz, "npz.parquet") == 0
    table = pd.read_csv("folder.csv")
    assert list(table.columns) == ["id_str", *COLUMNS]
    assert list(table["id_str"]) == ["g0", "g1", "g2"]
    assert Path("folder.csv").read_text() == Path("catalog_csv.CSV").read_text()
    npz = pd.read_parquet("npz.parquet")[list(COLUMNS)].to_numpy()
    assert np.allclose(table[list(COLUMNS)], npz[:3], atol=2e-6)
    assert np.allclose(pd.read_parquet("table.parquet")[list(COLUMNS)], npz[:3], atol=1e-6)


def test_predict_names_and_skips_an_unreadable_image(
    cli: Cli, trained: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(folder / "good.png")
    (folder / "bad.jpg").write_bytes(b"\xff\xd8 not a picture")
    assert cli("predict", trained, folder, "out.csv") == 0
    error = capfd.readouterr().err
    assert "skipped bad" in error and "1 images skipped" in error
    assert list(pd.read_csv("out.csv")["id_str"]) == ["good"]


def test_a_galaxy_file_of_another_size_is_refused(
    cli: Cli, trained: Path, toy_npz: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    arrays = dict(np.load(toy_npz))
    arrays["images"] = arrays["images"][:, ::2, ::2]
    np.savez(tmp_path / "small.npz", **arrays)
    assert cli("predict", trained, tmp_path / "small.npz", "out.csv") == 2
    told = capfd.readouterr().err
    assert "holds images of 32 pixels, but the model was trained on images of 64 pixels" in told
    assert not Path("out.csv").exists()


@pytest.mark.parametrize(
    ("images", "told"),
    [
        ([[1]], "^images must be an array, a DataFrame or a path, got list$"),
        (np.zeros((0, 64, 64, 3), np.uint8), "^an array must hold at least one image as uint8"),
        (np.zeros((1, 9, 9, 3), np.uint8), "^9x9 pixels is smaller than the crop of 210 .only an"),
    ],
    ids=str,
)
def test_images_of_another_kind_are_refused(images: Any, told: str, trained: Path) -> None:
    with pytest.raises(InvalidInput, match=told):
        load_model(trained).predict(images)
