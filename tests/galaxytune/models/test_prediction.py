"""Predictions of an export folder for images from anywhere."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from galaxytune.api.model import load_model
from search_spaces.declaration.errors import InvalidInput
from tests.support.command_line import Cli
from tests.support.networks import noise
from trainables.decision_tree import COLUMNS
from trainables.galaxies import save_galaxies
from trainables.training import NumViews


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


def test_predict_takes_the_views_that_the_metrics_show_to_be_worth_it(
    cli: Cli, trained: Path, toy_npz: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = Path(shutil.copytree(trained, tmp_path / "turned"))
    metrics = json.loads((folder / "metrics.json").read_text())
    rmse = metrics["validation"]["rmse"]
    cases: list[tuple[float, NumViews]] = [(-0.05, 8), (-0.001, 1)]
    for change, views in cases:
        metrics["validation"] |= {
            "rmse_8_views": (1 + change) * rmse,
            "rmse_8_views_difference": change * rmse,
            "rmse_8_views_difference_interval_95": [2 * change * rmse, 0.5 * change * rmse],
        }
        (folder / "metrics.json").write_text(json.dumps(metrics))
        capfd.readouterr()
        assert cli("predict", folder, toy_npz, "by_default.csv") == 0
        told = "8 views of each image are averaged" in capfd.readouterr().err
        assert told == (views == 8)
        assert cli("predict", folder, toy_npz, "asked.csv", "--views", str(views)) == 0
        assert "are averaged" not in capfd.readouterr().err
        assert Path("by_default.csv").read_text() == Path("asked.csv").read_text()
        found = load_model(folder).predict(toy_npz)[list(COLUMNS)].to_numpy()
        asked = load_model(folder).predict(toy_npz, views=views)[list(COLUMNS)].to_numpy()
        assert np.array_equal(found, asked)


def test_predict_names_and_skips_an_unreadable_image(
    cli: Cli, trained: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(folder / "good.png")
    (folder / "bad.jpg").write_bytes(b"\xff\xd8 not a picture")
    assert cli("predict", trained, folder, "out.csv") == 0
    error = capfd.readouterr().err
    assert "skipped bad" in error and "1 prediction -> out.csv; 1 image skipped" in error
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
        (np.zeros((1, 9, 9, 3), np.uint8), "^9x9 pixels is smaller than the crop of 210;"),
    ],
    ids=str,
)
def test_images_of_another_kind_are_refused(images: Any, told: str, trained: Path) -> None:
    with pytest.raises(InvalidInput, match=told):
        load_model(trained).predict(images)


def error_of(cli: Cli, capfd: pytest.CaptureFixture[str], *arguments: Any) -> str:
    """The line of a command that ends with exit code 2, without the progress bar's."""
    capfd.readouterr()
    assert cli(*arguments) == 2
    return capfd.readouterr().err.splitlines()[-1]


def save_npz(path: Path, side: int, crop: int | None) -> np.ndarray:
    """Write a galaxy file without votes and return its images [3, side, side, 3]."""
    images = noise(3, side)
    arrays: dict[str, np.ndarray] = {"images": images, "ids": np.arange(7, 10)}
    save_galaxies(path, arrays if crop is None else arrays | {"crop": np.array(crop)})
    return images


@pytest.mark.parametrize(("side", "crop"), [(64, 210), (64, None), (230, 230), (230, None)])
def test_a_galaxy_file_without_votes_is_cut_as_in_training(
    side: int, crop: int | None, cli: Cli, trained: Path, tmp_path: Path
) -> None:
    images = save_npz(tmp_path / "new.npz", side, crop)
    assert cli("predict", trained, "new.npz", "new.parquet") == 0
    table = pd.read_parquet("new.parquet")
    assert list(table["id_str"]) == ["7", "8", "9"]
    alone = load_model(trained).predict(images)
    np.testing.assert_array_equal(table[list(COLUMNS)], alone[list(COLUMNS)])


@pytest.mark.parametrize(
    ("side", "crop"), [(64, 256), (64, 64), (128, 210), (32, 210), (32, None), (230, 424)]
)
def test_a_galaxy_file_of_another_field_of_view_is_refused_unless_a_crop_is_given(
    side: int,
    crop: int | None,
    cli: Cli,
    trained: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    images = save_npz(tmp_path / "new.npz", side, crop)
    told = error_of(cli, capfd, "predict", trained, "new.npz", "new.csv")
    assert f"new.npz holds images of {side} pixels" in told and "`--crop none` takes" in told
    assert cli("predict", trained, "new.npz", "new.parquet", "--crop", "none") == 0
    assert "3 images were kept whole" in capfd.readouterr().err
    alone = load_model(trained).predict(images, crop="none")
    np.testing.assert_array_equal(
        pd.read_parquet("new.parquet")[list(COLUMNS)], alone[list(COLUMNS)]
    )


def test_what_was_done_with_the_sizes_and_the_skipped_is_told_in_a_line_each(
    cli: Cli, trained: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "images"
    for name in ("a.png", "sub/b.tif", "sub/c.webp", ".thumbs/a.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noise(1, 212)[0]).save(folder / name)
    for name in ("d.png", "e.png"):
        Image.fromarray(noise(1, 100)[0]).save(folder / name)
    (folder / "f.fits").write_bytes(b"SIMPLE  =")
    assert cli("predict", trained, folder, "out.csv") == 0
    assert capfd.readouterr().err.splitlines()[-4:] == [
        "3 images were cut to the central 210 x 210 pixels (as in training) and reduced to "
        "64 x 64 pixels",
        "skipped f.fits: FITS is not read; give JPEG, PNG, TIFF or WebP",
        "skipped 2 files, such as d.png: 100x100 pixels is smaller than the crop of 210; another "
        "crop (--crop) keeps other pixels, only an image of 64 x 64 pixels needs no crop",
        "3 predictions -> out.csv; 3 images skipped",
    ]
    assert list(pd.read_csv("out.csv")["id_str"]) == ["a", "b", "c"]
    assert cli("predict", trained, folder, "all.csv", "--crop", "100") == 0
    assert list(pd.read_csv("all.csv")["id_str"]) == ["a", "d", "e", "b", "c"]


def test_a_catalog_of_missing_files_says_why_nothing_is_predicted(
    cli: Cli, trained: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    rows = [f"{i},{i}.png" for i in range(1000)] + ["x,", "y,http://a.org/y.png"]
    (tmp_path / "catalog.csv").write_text("\n".join(["id_str,file_loc", *rows]))
    told = error_of(cli, capfd, "predict", trained, "catalog.csv", "out.csv")
    assert told == (
        "galaxytune: no image could be predicted: 1,000 files, such as 0 (0.png): there is no "
        "such file; x: the catalog names no file; y (http://a.org/y.png): http addresses are "
        "not fetched; give the path of a file"
    )
    assert not Path("out.csv").exists()


@pytest.mark.parametrize(
    ("images", "out", "more", "told"),
    [
        ("catalog.csv", "catalog.csv", (), "catalog.csv would replace its own input"),
        ("catalog.csv", "out.txt", (), "predictions are written as .csv or .parquet"),
        ("catalog.csv", "catalog.csv/out.csv", (), "Not a directory"),
        ("catalog.csv", "out.csv", ("--crop", "0"), "the crop must be training, none, or a"),
        ("catalog.csv", "out.csv", ("--crop", "-5"), "the crop must be training, none, or a"),
        ("catalog.csv", "out.csv", ("--crop", "all"), "a whole number of pixels of at least 1"),
    ],
)
def test_what_is_wrong_is_told_before_the_model_is_loaded(
    images: str,
    out: str,
    more: tuple[str, ...],
    told: str,
    cli: Cli,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "catalog.csv").write_text("id_str,file_loc\n")
    assert told in error_of(cli, capfd, "predict", "no model", images, out, *more)
    assert (tmp_path / "catalog.csv").read_text() == "id_str,file_loc\n"


@pytest.mark.parametrize(
    ("image", "out", "question", "told"),
    [
        ("a.png", "a.png", "7", "a.png would replace its own input"),
        ("a.png", "b.png", "-1", "no question '-1'"),
        ("a.png", "b.png", "12", "no question '12'"),
        ("a.png", "b.jpg", "7", "an explanation is written as .png or .pdf"),
        ("a.png", "a.png/b.png", "7", "Not a directory"),
    ],
)
def test_what_cannot_be_explained_is_told_before_the_model_is_loaded(
    image: str,
    out: str,
    question: str,
    told: str,
    cli: Cli,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "a.png").write_bytes(b"x")
    arguments = ("explain", "no model", image, out, "--question", question)
    assert told in error_of(cli, capfd, *arguments)


def test_a_galaxy_file_smaller_than_the_crop_is_named(
    cli: Cli, trained: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    save_npz(tmp_path / "new.npz", 64, 210)
    told = error_of(cli, capfd, "predict", trained, "new.npz", "new.csv", "--crop", "65")
    assert "new.npz: 64x64 pixels is smaller than the crop of 65" in told


def test_from_python_skipped_images_are_told_in_a_warning_or_to_a_function(
    trained: Path, tmp_path: Path
) -> None:
    for name, side in (("a", 64), ("b", 65), ("c", 65)):
        Image.fromarray(noise(1, side)[0]).save(tmp_path / f"{name}.png")
    model = load_model(trained)
    with pytest.warns(UserWarning, match="^2 images could not be read .*: 2 files, such as b.png"):
        assert list(model.predict(tmp_path)["id_str"]) == ["a"]
    told: list[str] = []
    model.predict(tmp_path, on_skipped=told.append)
    assert [line.partition(":")[0] for line in told] == ["b.png", "c.png"]
    assert len(model.predict(tmp_path, crop=64)) == 3
