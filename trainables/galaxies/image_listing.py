"""The image files of a folder or a zip, listed without opening them."""

import os
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

from search_spaces.declaration import InvalidInput, check_regular, open_regular
from trainables.files import DAMAGE, one_line
from trainables.galaxies.image_files import IMAGE_SUFFIXES
from trainables.galaxies.skipped import Skipped
from trainables.galaxies.unread_formats import why_not_read

# Names that systems and programs add beside a user's images: macOS, Synology, Windows, ext4.
_ADDED = frozenset(
    {"__macosx", "@eadir", "$recycle.bin", "system volume information", "lost+found"}
)
_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)


@dataclass(frozen=True)
class ListedImage:
    """An image file of a folder or a zip.

    id: the file's name without suffix. name: the path below the folder or in the zip, with `/`
    between its parts. open: returns the open binary file; an error in DAMAGE is raised if the file
    is missing, damaged or no regular file. size: returns the size of the file in bytes, and raises
    OSError if the file is missing; None for an image of a catalog.
    """

    id: str
    name: str
    open: Callable[[], IO[bytes]]
    size: Callable[[], int] | None = None


@dataclass(frozen=True)
class ImageListing:
    """The image files of a folder or a zip.

    images: the files that can be read as images, sorted by name. skipped: the files that are
    images too but cannot be read, such as FITS files, sorted by name.
    """

    images: tuple[ListedImage, ...]
    skipped: tuple[Skipped, ...]


def list_images(source: Path, wanted: Callable[[str], bool] | None = None) -> ImageListing:
    """Return the images of a folder and its subfolders, or of a zip, without opening an image.

    wanted: is called with the name of each image, as `ListedImage` describes it, and returns
    whether the image counts; by default all count.

    Links to folders are followed. Hidden files and folders, such as `.ipynb_checkpoints`, and what
    systems add, such as `__MACOSX` and `@eaDir`, are passed over. Files that are no images are
    passed over too.

    InvalidInput is raised if the source is missing, if a folder may not be read, if a zip is
    damaged or no regular file, or if two images have the same name without folder and suffix.
    """
    if not source.exists():
        raise InvalidInput(f"no file or folder {source}")
    check_regular(source)
    found = _in_folder(source) if source.is_dir() else _in_zip(source)
    images: list[ListedImage] = []
    skipped: list[Skipped] = []
    for entry in sorted(found, key=lambda entry: entry.name):
        if wanted is not None and not wanted(entry.name):
            continue
        if isinstance(entry, Skipped):
            skipped.append(entry)
        else:
            images.append(entry)
    _check_ids(images, source)
    return ImageListing(tuple(images), tuple(skipped))


def _check_ids(images: list[ListedImage], source: Path) -> None:
    """Raise InvalidInput, which names both files, if two images have the same id."""
    names: dict[str, str] = {}
    for image in images:
        if image.id in names:
            raise InvalidInput(
                f"{source} holds the image {image.id!r} twice, as {names[image.id]} and "
                f"{image.name}; remove or rename one of the two"
            )
        names[image.id] = image.name


def _in_folder(folder: Path) -> Iterator[ListedImage | Skipped]:
    """Yield the images below a folder, in any order; InvalidInput if a folder may not be read."""

    def refuse(error: OSError) -> None:
        raise InvalidInput(f"the folder {error.filename} cannot be read ({error.strerror})")

    seen: set[str] = set()
    for parent, folders, files in os.walk(folder, onerror=refuse, followlinks=True):
        real = os.path.realpath(parent)
        if real in seen:  # a link to a folder above
            folders.clear()
            continue
        seen.add(real)
        folders[:] = [name for name in folders if not is_added(name)]
        for name in files:
            path = Path(parent, name)
            entry = _judged(path.relative_to(folder).as_posix())
            if isinstance(entry, str):
                yield ListedImage(
                    path.stem, entry, partial(open_regular, path), partial(_size, path)
                )
            elif entry is not None:
                yield entry


def _size(path: Path) -> int:
    """Return the size of a file in bytes; OSError is raised if the file is missing."""
    return path.stat().st_size


def _in_zip(path: Path) -> Iterator[ListedImage | Skipped]:
    """Yield the images of a zip, in any order; InvalidInput if the zip is damaged.

    The zip stays open for the openers, which several threads may call at the same time.
    """
    try:
        archive = zipfile.ZipFile(path)
    except DAMAGE as error:
        raise InvalidInput(f"{path} is not a whole zip file ({one_line(error)})") from None
    for info in archive.infolist():
        name = info.filename.replace("\\", "/")  # of a zip that was made on Windows
        entry = None if name.endswith("/") else _judged(name)
        if isinstance(entry, str):
            reason = _why_unreadable(info)
            if reason is None:
                opener, size = partial(archive.open, info), partial(getattr, info, "file_size")
                yield ListedImage(PurePosixPath(name).stem, name, opener, size)
            else:
                yield Skipped(name, reason)
        elif entry is not None:
            yield entry


def _why_unreadable(info: zipfile.ZipInfo) -> str | None:
    """Return why an entry of a zip cannot be read, or None if it can."""
    if info.flag_bits & 0x1:
        return "is encrypted; unpack the zip with its password"
    if info.compress_type not in _COMPRESSIONS:
        return "is packed in a way that Python cannot unpack; unpack the zip"
    return None


def _judged(name: str) -> str | Skipped | None:
    """Return the name of a readable image, a Skipped for another image, or None for the rest."""
    path = PurePosixPath(name)
    suffix = path.suffix.lower()
    if any(is_added(part) for part in path.parts):
        return None
    if suffix in IMAGE_SUFFIXES:
        return name
    reason = why_not_read(name)
    return None if reason is None else Skipped(name, reason)


def is_added(name: str) -> bool:
    """Return whether a file or folder is hidden, or added by a system beside a user's files."""
    return name.startswith(".") or name.lower() in _ADDED
