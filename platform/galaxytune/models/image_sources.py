"""Images from a folder, a zip, a single file, or a catalog that names files."""

import os
import re
from functools import partial
from pathlib import Path
from typing import IO, Any
from urllib.parse import unquote, urlsplit

import pandas as pd

from galaxytune.models.catalog_tables import CatalogTable, read_catalog, table_of
from search_spaces.declaration import InvalidInput, open_regular
from trainables.galaxies import (
    IMAGE_SUFFIXES,
    ImageListing,
    ListedImage,
    Skipped,
    list_images,
    why_content_not_read,
    why_not_read,
)

_FITTING = "give a folder or zip of images, one image, a galaxy file (npz) or a catalog"
_IMAGE_STARTS = (b"\xff\xd8\xff", b"\x89PNG", b"II*\0", b"MM\0*", b"RIFF", b"GIF8")
_ZIP_START = b"PK\x03\x04"
# Files that are none of these, by their first bytes or their suffix.
_FOREIGN = {
    b"ARROW1": "a feather file",
    b"SIMPLE  =": "a FITS file",
    b"\x89HDF": "an HDF5 file",
    b"\x93NUMPY": "an npy file",
    b"7z\xbc\xaf": "a 7z archive",
    b"Rar!": "a rar archive",
    b"%PDF": "a PDF file",
    b"<?xml": "an XML file",
    b"<VOTABLE": "a VOTable",
}
_FOREIGN_SUFFIXES = {
    **dict.fromkeys((".xlsx", ".xls", ".ods"), "a spreadsheet"),
    **dict.fromkeys((".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz"), "a tar archive"),
    **dict.fromkeys((".fits", ".fit", ".fits.gz"), "a FITS file"),
    **dict.fromkeys((".json", ".jsonl"), "a JSON file"),
}
_ADDRESS = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]+)://")
_WINDOWS_DRIVE = re.compile(r"[a-zA-Z]:[\\/]")


def image_files(source: Path | pd.DataFrame) -> ImageListing:
    """Return the images of a source, none of which is opened, and what is left out of the source.

    source: a folder or zip of images, see `list_images`; one image file; or a catalog with the
    columns `id_str` and `file_loc`, see `read_catalog`. A catalog is a file or a DataFrame. The id
    of a file outside a catalog is its name without suffix. The images of a folder or zip are
    sorted by path, those of a catalog have its order.

    The `open` of a catalog's image raises InvalidInput if the catalog names no file, or a file
    that cannot be opened. InvalidInput is raised here if the source is missing, cannot be read,
    holds no image, or has an id twice.
    """
    if isinstance(source, pd.DataFrame):
        name, found = "the DataFrame", _of_catalog(table_of(source, "the DataFrame"), Path())
    else:
        name, found = str(source), _of_path(source)
    found = _writable(found)
    if not found.images and not found.skipped:
        raise InvalidInput(f"{name} holds no image; {_FITTING}")
    return found


def _of_path(path: Path) -> ImageListing:
    """Return the images of a path by what it is; see `image_files`."""
    suffix = path.suffix.lower()
    if not os.path.exists(path):
        more = "; give the folder of the images" if any(c in str(path) for c in "*?[") else ""
        raise InvalidInput(f"no file or folder {path}{more}")
    if path.is_dir() or suffix == ".zip":
        return list_images(path)
    if not path.is_file():
        raise InvalidInput(f"{path} is neither a file nor a folder; {_FITTING}")
    head = _head(path)
    if suffix not in IMAGE_SUFFIXES and not head.startswith(_IMAGE_STARTS):
        _check_not_foreign(path, head)
        if head.startswith(_ZIP_START):
            return list_images(path)
        reason = why_content_not_read(path, head) or why_not_read(path.name)
        if reason is not None:
            raise InvalidInput(f"{path}: {reason}")
        return _of_catalog(read_catalog(path), path.parent)
    image = ListedImage(path.stem, path.name, partial(open_regular, path))
    return ImageListing((image,), ())


def _head(path: Path) -> bytes:
    """Return the first bytes of a file; InvalidInput if the file cannot be opened."""
    try:
        with path.open("rb") as file:
            return file.read(16)
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read ({error.strerror})") from None


def _check_not_foreign(path: Path, head: bytes) -> None:
    """Raise InvalidInput if a file, with first bytes `head`, is of a kind that is not read."""
    name = path.name.lower()
    kinds = [kind for start, kind in _FOREIGN.items() if head.startswith(start)]
    kinds += [kind for suffix, kind in _FOREIGN_SUFFIXES.items() if name.endswith(suffix)]
    if kinds:
        raise InvalidInput(f"{path} is {kinds[0]}, which is not read; {_FITTING}")


def _of_catalog(table: CatalogTable, folder: Path) -> ImageListing:
    """Return the images that a catalog names; folder: where relative paths begin."""
    return ImageListing(
        tuple(
            ListedImage(
                one, f"{one} ({cell})" if _named(cell) else one, partial(_open, folder, cell)
            )
            for one, cell in zip(table.ids, table.files)
        ),
        (),
    )


def _named(cell: Any) -> str:
    """Return the text in a cell of `file_loc`, empty if the cell names no file."""
    text = os.fsdecode(cell) if isinstance(cell, str | bytes | os.PathLike) else ""
    return text if text.strip() else ""


def _open(folder: Path, cell: Any) -> IO[bytes]:
    """Return the open file that a cell of `file_loc` names.

    folder: where a relative path begins. `~/` begins at the user's home folder. A backslash may
    stand for a slash. InvalidInput is raised, with a text that does not name the file, if the cell
    is empty, is a web address, or names a file that is not regular or cannot be opened.
    """
    text = _named(cell)
    if not text:
        raise InvalidInput("the catalog names no file")
    address = _ADDRESS.match(text)
    if address and address[1].lower() != "file":
        raise InvalidInput(f"{address[1]} addresses are not fetched; give the path of a file")
    if address:
        text = unquote(urlsplit(text).path)
    if text.startswith("~/"):
        text = os.path.expanduser(text)
    for spelled in dict.fromkeys((text, text.replace("\\", "/"))):
        try:
            return open_regular(folder / spelled)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise InvalidInput(f"the file cannot be opened ({error.strerror})") from None
    if _WINDOWS_DRIVE.match(text) and os.name != "nt":
        raise InvalidInput("there is no such file; a path with a drive is known to Windows alone")
    raise InvalidInput("there is no such file")


def _writable(found: ImageListing) -> ImageListing:
    """Return a listing in which images whose id no table can hold are among the skipped."""
    images, skipped = [], list(found.skipped)
    for image in found.images:
        try:
            image.id.encode()
        except UnicodeEncodeError:
            shown = image.name.encode("utf-8", "backslashreplace").decode()
            skipped.append(Skipped(shown, "the name is not UTF-8 text; rename the file"))
        else:
            images.append(image)
    return ImageListing(tuple(images), tuple(skipped))
