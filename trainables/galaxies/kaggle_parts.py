"""The two parts of Kaggle's download, images and votes, found in the layouts that people have."""

import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pandas as pd

from search_spaces.declaration import InvalidInput, check_regular
from trainables.files import DAMAGE, DISK_REFUSES, check_free_space, one_line
from trainables.galaxies.image_listing import ImageListing, is_added, list_images
from trainables.galaxies.kaggle_places import (
    IMAGES,
    SOLUTIONS,
    SUFFIXES,
    TEST_IMAGES,
    Found,
    contents,
    found_places,
    known_name,
    search,
)
from trainables.galaxies.kaggle_solutions import read_solutions


@dataclass(frozen=True)
class KaggleParts:
    """The two parts of Kaggle's download.

    images: the listed images. votes: the votes that `read_solutions` returns. read: the files and
    folders that are read. notes: a sentence for each further file or folder that holds the same.
    """

    images: ImageListing
    votes: pd.DataFrame
    read: tuple[Path, ...]
    notes: tuple[str, ...]


@contextmanager
def kaggle_parts(source: Path, scratch: Path) -> Iterator[KaggleParts]:
    """Find, list and read the two parts of Kaggle's download; yield them for the block.

    source: a folder with the parts, each as a zip or unpacked and up to four folders deep; one of
    Kaggle's two parts, beside which the other part is; or the zip of the whole competition. Upper
    and lower case and additions such as ` (1)` to the names do not matter. If no folder and no zip
    has the name of Kaggle's images, the images are looked for in the source itself. The images of
    the test set are never taken. scratch: an existing folder; zips within the zip of the
    competition are copied into a folder there, which is removed after the block.

    Of several places with the same content one is taken, a zip before a folder, and a note names
    the others. InvalidInput is raised if places differ, if a part is missing, if a file
    is no regular file, if `list_images` or
    `read_solutions` refuses a part, or if `scratch` lacks room.
    """
    if not source.exists():
        raise InvalidInput(f"no folder {source}, and no zip of that name")
    check_regular(source)
    competition = _competition(source)
    if competition is None:
        yield _parts(found_places(source), source, None)
        return
    with tempfile.TemporaryDirectory(dir=scratch, prefix=".galaxytune-") as folder:
        try:
            _copy_parts(competition, Path(folder))
            found = search(Path(folder))
            yield _parts(found, Path(folder), competition)
        except InvalidInput as error:
            raise InvalidInput(str(error).replace(folder, str(competition))) from None


def _competition(source: Path) -> Path | None:
    """Return the zip of the whole competition that the source is or holds, or None.

    InvalidInput is raised if a folder holds no part but two such zips, or if a file is no zip.
    """
    if source.is_dir():
        found = search(source)
        if found.images or found.solutions or not found.competition:
            return None
        if len(found.competition) > 1:
            first, second = found.competition[:2]
            raise InvalidInput(f"{source} holds {first} and {second}; give the path of one")
        return found.competition[0]
    if known_name(source.name) in (IMAGES, SOLUTIONS):
        return None
    if not zipfile.is_zipfile(source):
        raise InvalidInput(
            f"{source} is neither a folder nor a whole zip; give the folder of Kaggle's download"
        )
    return source


def _parts(found: Found, source: Path, competition: Path | None) -> KaggleParts:
    """List the images and read the votes of the places found.

    source: where the parts were looked for. competition: the zip of the whole competition, which
    may hold images itself, or None. InvalidInput is raised as `kaggle_parts` describes it.
    """
    if not found.solutions:
        raise InvalidInput(
            f"{source} holds neither {SOLUTIONS}.zip nor {SOLUTIONS}.csv; "
            + contents(source, competition)
        )
    votes, votes_notes = _one_table(found.solutions)
    listed = [(place, list_images(place)) for place in found.images]
    listed = [(place, images) for place, images in listed if images.images or images.skipped]
    own = competition or (source if source.is_dir() else source.parent)
    if not listed:
        images = list_images(own, _wanted(own))
        listed = [(own, images)] if images.images or images.skipped else []
    if not listed:
        raise InvalidInput(
            f"{source} holds neither {IMAGES}.zip nor a folder {IMAGES} with images; "
            + contents(source, competition)
        )
    images_notes = _same_images(listed)
    read = (listed[0][0], found.solutions[0])
    return KaggleParts(listed[0][1], votes, read, votes_notes + images_notes)


def _wanted(place: Path) -> "_Wanted":
    """Return which images of a folder or of the competition's zip are those of the training."""
    if place.is_dir():
        return _Wanted(named=False)
    listed = list_images(place, _Wanted(named=True))
    return _Wanted(named=bool(listed.images or listed.skipped))


@dataclass(frozen=True)
class _Wanted:
    """A test of the names of images: none is of the test set; with `named`, in Kaggle's folder."""

    named: bool

    def __call__(self, name: str) -> bool:
        """Return whether an image counts."""
        folders = [known_name(part) for part in PurePosixPath(name).parts[:-1]]
        return TEST_IMAGES not in folders and (not self.named or IMAGES in folders)


def _one_table(places: list[Path]) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return the votes of the first place, and notes; InvalidInput if another place differs."""
    votes = read_solutions(places[0])
    notes = []
    for other in places[1:]:
        if not votes.equals(read_solutions(other)):
            raise InvalidInput(
                f"{places[0]} and {other} hold different votes; remove or rename one of the two"
            )
        notes.append(f"read {places[0]}; {other} holds the same votes")
    return votes, tuple(notes)


def _same_images(listed: list[tuple[Path, ImageListing]]) -> tuple[str, ...]:
    """Return a note for each place but the first; InvalidInput if one holds other images."""
    (first, images), *others = listed
    notes = []
    sizes = _sizes(images) if others else {}
    for other, others_images in others:
        if _sizes(others_images) != sizes:
            raise InvalidInput(
                f"{first} and {other} hold different images; remove or rename one of the two"
            )
        notes.append(f"read {first}; {other} holds the same images")
    return tuple(notes)


def _sizes(listing: ImageListing) -> dict[str, int]:
    """Return the size in bytes of each image of a listing by the image's id; -1 of a lost file."""
    sizes = {}
    for image in listing.images:
        try:
            sizes[image.id] = -1 if image.size is None else image.size()
        except OSError:
            sizes[image.id] = -1
    return sizes


def _copy_parts(competition: Path, folder: Path) -> None:
    """Copy the zips and tables with the names of the parts out of a zip into a folder.

    InvalidInput is raised if the zip is damaged or the disk of the folder lacks room for them.
    """
    check_regular(competition)
    try:
        with zipfile.ZipFile(competition) as archive:
            wanted = {}
            for info in archive.infolist():
                parts = PurePosixPath(info.filename.replace("\\", "/")).parts
                name = parts[-1] if parts and not any(map(is_added, parts)) else ""
                if name.lower().endswith(SUFFIXES) and not info.is_dir():
                    if known_name(name) in (IMAGES, SOLUTIONS):
                        wanted[info] = [part for part in parts if part.strip("./\\")]
            size = sum(info.file_size for info in wanted)
            check_free_space(folder / IMAGES, size, "take another output, or unpack the zip")
            for info, parts_of_name in wanted.items():
                path = folder.joinpath(*parts_of_name)
                path.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(info) as packed, path.open("wb") as out:
                    shutil.copyfileobj(packed, out, 1 << 22)
    except InvalidInput:
        raise
    except DAMAGE as error:
        if isinstance(error, OSError) and error.errno in DISK_REFUSES:
            raise
        raise InvalidInput(f"{competition} is not a whole zip file ({one_line(error)})") from None
