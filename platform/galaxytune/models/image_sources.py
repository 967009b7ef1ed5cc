"""Images from a folder, a zip, a single file, or a catalog that names files."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pandas as pd

from search_spaces.declaration import InvalidInput
from trainables.files import DAMAGE, one_line
from trainables.galaxies import IMAGE_SUFFIXES

Opener = Callable[[], IO[bytes]]  # opens an encoded image for reading
ImageFile = tuple[str, Opener]  # an image's id and opener


def image_files(source: Path | pd.DataFrame) -> list[ImageFile]:
    """Return the id and the opener of every image in a source.

    source: a folder or zip of JPEG or PNG files, one such file, or a catalog with the columns
    `id_str` and `file_loc`. A catalog is a CSV or parquet file, or a DataFrame. The id of a file
    outside a catalog is its name without suffix, so two images may have one id. A folder is
    searched with its subfolders; the images of a folder or zip are sorted by path.

    The opener takes no argument and returns the open binary file. The images are not opened
    before; an opener of a missing or damaged file raises an error in DAMAGE, such as OSError. A
    source that cannot be read, or that holds no image, raises InvalidInput.
    """
    if isinstance(source, pd.DataFrame):
        return _named(_from_table(source, Path(), "the DataFrame"), "the DataFrame")
    if not source.exists():
        raise InvalidInput(f"no file or folder {source}")
    if source.is_dir():
        found = _from_folder(source)
    elif source.suffix.lower() == ".zip":
        found = _from_zip(source)
    elif source.suffix.lower() in IMAGE_SUFFIXES:
        found = [(source.stem, lambda: source.open("rb"))]
    else:
        found = _from_table(_read_table(source), source.parent, str(source))
    return _named(found, str(source))


def _named(found: list[ImageFile], source: str) -> list[ImageFile]:
    """Return `found` unchanged; InvalidInput, which names `source`, if the list is empty."""
    if not found:
        raise InvalidInput(f"{source} holds no {', '.join(IMAGE_SUFFIXES)} image")
    return found


def _from_folder(folder: Path) -> list[ImageFile]:
    """Return the images in a folder and its subfolders, sorted by path; [] if there are none."""
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES)
    return [(path.stem, lambda path=path: path.open("rb")) for path in paths]  # type: ignore[misc]


def _from_zip(path: Path) -> list[ImageFile]:
    """Return the images in a zip, sorted by name; InvalidInput if the zip is damaged.

    The zip stays open for the openers.
    """
    try:
        archive = zipfile.ZipFile(path)
    except DAMAGE as error:
        raise InvalidInput(f"{path} is not a whole zip file ({one_line(error)})") from None
    names = sorted(n for n in archive.namelist() if n.lower().endswith(IMAGE_SUFFIXES))
    return [(Path(name).stem, lambda name=name: archive.open(name)) for name in names]  # type: ignore[misc]


def _read_table(path: Path) -> pd.DataFrame:
    """Return the table in a file, which is read as parquet if it ends in .parquet, else as CSV.

    All columns of a CSV are read as text, so that ids keep leading zeros; a parquet file keeps its
    own types. InvalidInput is raised if the file cannot be read.
    """
    try:
        if path.suffix.lower() == ".parquet":
            return pd.read_parquet(path)
        return pd.read_csv(path, dtype=str)
    except DAMAGE as error:
        raise InvalidInput(f"{path} cannot be read as a catalog ({one_line(error)})") from None


def _from_table(table: pd.DataFrame, folder: Path, name: str) -> list[ImageFile]:
    """Return the images that a catalog names, in its order; [] if the catalog has no row.

    folder: where relative paths in the catalog begin. name: the catalog's name for messages.
    InvalidInput is raised if a column is missing or damaged. The image files need not exist.
    """
    missing = [c for c in ("id_str", "file_loc") if c not in table.columns]
    if missing:
        raise InvalidInput(f"{name} lacks the columns {', '.join(missing)}")
    try:
        files = [folder / str(file) for file in table["file_loc"]]  # absolute paths stay
        ids = [str(i) for i in table["id_str"]]
    except DAMAGE as error:  # pyarrow decodes texts only here
        raise InvalidInput(f"{name} cannot be read as a catalog ({one_line(error)})") from None
    return [(i, lambda file=file: file.open("rb")) for i, file in zip(ids, files)]  # type: ignore[misc]
