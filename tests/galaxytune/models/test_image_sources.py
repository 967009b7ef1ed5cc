"""Sources of images: what a catalog's cells may name, and what is no source at all."""

import io
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from galaxytune.models.image_sources import image_files
from search_spaces.declaration import InvalidInput


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the image `sub/a.png`, which is also the home folder."""
    (tmp_path / "sub").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "sub" / "a.png")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def cell_opened(cell: Any) -> None:
    """Open the image of a DataFrame with this one cell in `file_loc`."""
    (image,) = image_files(pd.DataFrame({"id_str": ["1"], "file_loc": [cell]})).images
    image.open().close()


@pytest.mark.parametrize(
    "form", ["sub/a.png", "{}/sub/a.png", "~/sub/a.png", "file://{}/sub/a.png"]
)
def test_a_cell_names_a_file_in_many_ways(form: str, folder: Path) -> None:
    cell_opened(form.format(folder))
    cell_opened(form.format(folder).replace("/sub/", "/./sub//"))


def test_a_cell_may_hold_backslashes_bytes_or_a_path(folder: Path) -> None:
    cell_opened("sub\\a.png")
    cell_opened(b"sub/a.png")
    cell_opened(folder / "sub" / "a.png")
    (folder / "sub\\b.png").write_bytes(b"")  # a name with a backslash, as it is written
    cell_opened("sub\\b.png")


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        ("", "the catalog names no file"),
        (None, "the catalog names no file"),
        (float("nan"), "the catalog names no file"),
        (3, "the catalog names no file"),
        ("none.png", "there is no such file"),
        ("sub/a.png/b.png", "there is no such file"),
        ("sub", "the file cannot be opened (Is a directory)"),
        ("https://a.org/a.png", "https addresses are not fetched; give the path of a file"),
        ("s3://a/a.png", "s3 addresses are not fetched; give the path of a file"),
        ("C:\\a.png", "there is no such file; a path with a drive is known to Windows alone"),
        ("a" * 300, "the file cannot be opened (File name too long)"),
    ],
    ids=repr,
)
def test_a_cell_without_a_file_is_refused_alike_in_all_rows(
    cell: Any, told: str, folder: Path
) -> None:
    with pytest.raises(InvalidInput) as error:
        cell_opened(cell)
    assert str(error.value) == told


def zipped(*names: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, b"x")
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        (
            "c.xlsx",
            zipped("xl/workbook.xml"),
            "is a spreadsheet, which is not read",
        ),
        ("c.feather", b"ARROW1\0\0", "is a feather file, which is not read"),
        ("c.csv", b"ARROW1\0\0", "is a feather file, which is not read"),
        ("c.fits", b"SIMPLE  =                    T", "is a FITS file, which is not read"),
        ("c.fits.gz", b"\x1f\x8b", "is a FITS file, which is not read"),
        ("c.tar.gz", b"\x1f\x8b", "is a tar archive, which is not read"),
        ("c.json", b"{}", "is a JSON file, which is not read"),
        ("c.vot", b"<?xml", "is an XML file, which is not read"),
        ("c.npy", b"\x93NUMPY", "is an npy file, which is not read"),
        ("c.zip", zipped("a.txt"), "holds no image; give a folder or zip of images"),
        ("c.csv", b"id_str,file_loc\n", "holds no image; give a folder or zip of images"),
    ],
)
def test_a_file_of_another_kind_is_named(
    name: str, content: bytes, told: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidInput) as error:
        image_files(tmp_path / name)
    assert told in str(error.value) and name in str(error.value)


def test_a_pattern_that_the_shell_did_not_fill_in_is_explained(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no file or folder .*; give the folder of the images"):
        image_files(tmp_path / "*.jpg")


def test_an_image_or_a_zip_without_suffix_is_what_it_is(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "galaxy", "JPEG")
    assert [image.id for image in image_files(tmp_path / "galaxy").images] == ["galaxy"]
    (tmp_path / "packed").write_bytes(zipped("a/g1.png", "__MACOSX/g1.png"))
    assert [image.id for image in image_files(tmp_path / "packed").images] == ["g1"]


def test_a_name_that_no_table_can_hold_is_skipped(tmp_path: Path) -> None:
    for name in (b"good.png", b"b\xe9d.png"):
        Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), name))).write_bytes(b"x")
    found = image_files(tmp_path)
    assert [image.id for image in found.images] == ["good"]
    assert list(map(str, found.skipped)) == [
        "b\\udce9d.png: the name is not UTF-8 text; rename the file"
    ]


def test_relative_paths_begin_at_the_folder_of_the_catalog(folder: Path) -> None:
    (folder / "sub" / "catalog.csv").write_text("id_str,file_loc\n1,a.png\n")
    (image,) = image_files(folder / "sub" / "catalog.csv").images
    with image.open() as file:
        assert np.asarray(Image.open(file)).shape == (8, 8, 3)


def test_a_catalog_cannot_name_a_fifo_or_a_device(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "1.jpg")
    (tmp_path / "c.csv").write_text("id_str,file_loc\n1,1.jpg\n2,/dev/zero\n")
    for image in image_files(tmp_path / "c.csv").images:
        with pytest.raises(InvalidInput, match="^is no regular file$"):
            image.open()


@pytest.mark.parametrize("name", ["g.bmp", "g", "g.ppm", "g.ico", "g.tga"])
def test_one_image_of_another_format_is_named(name: str, tmp_path: Path) -> None:
    form = Path(name).suffix[1:].upper() or "BMP"
    Image.new("RGB", (32, 32)).save(tmp_path / name, form)
    with pytest.raises(InvalidInput, match=f"{name}: {form} is not read; give JPEG, PNG, TIFF"):
        image_files(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "content", "form"),
    [
        ("galaxy.heic", b"", "HEIC"),
        ("galaxy", b"\0\0\0\x18ftypheic\0\0\0\0", "HEIC"),
        ("galaxy.avif", b"\0\0\0\x18ftypavif\0\0\0\0", "AVIF"),
        ("galaxy.bmp", b"BM damaged \xff", "BMP"),
    ],
)
def test_a_format_that_pillow_does_not_know_is_named(
    name: str, content: bytes, form: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidInput, match=f"{name}: {form} is not read"):
        image_files(tmp_path / name)


def test_a_catalog_of_one_column_is_told_in_the_singular(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("id_str\n1,a\n")
    with pytest.raises(InvalidInput, match="has 2 cells, but the first line names 1 column$"):
        image_files(tmp_path / "c.csv")
