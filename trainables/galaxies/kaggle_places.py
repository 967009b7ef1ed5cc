"""The places where the parts of Kaggle's download are, found by their names."""

import os
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

from trainables.galaxies.image_listing import is_added

IMAGES = "images_training_rev1"
SOLUTIONS = "training_solutions_rev1"
_COMPETITION = "galaxy-zoo-the-galaxy-challenge"
TEST_IMAGES = "images_test_rev1"
_DEPTH = 4  # folders below the given one in which the parts are looked for
SUFFIXES = (".gz", ".zip", ".csv")
_UNREAD = (".7z", ".rar", ".tar", ".tgz", ".xz", ".bz2", ".xlsx", ".parquet")
# What systems add to the name of a second copy: `a (1)`, `a 2`, `a copy`, `a - Copy (2)`.
_COPY = re.compile(r"( ?\(\d+\)| \d+|( -)? copy( ?\(?\d+\)?)?)$")


@dataclass
class Found:
    """The places where the parts may be, in the order in which they are preferred."""

    images: list[Path]
    solutions: list[Path]
    competition: list[Path]


def found_places(source: Path) -> Found:
    """Return where the parts may be in a folder, or beside one of Kaggle's two parts."""
    name = known_name(source.absolute().name)
    if source.is_dir():
        found = search(source)
        if name != IMAGES or found.solutions:
            return found
    beside = search(source.absolute().parent)
    return Found(
        images=[source] if name == IMAGES else beside.images,
        solutions=[source] if name == SOLUTIONS else beside.solutions,
        competition=[],
    )


def search(folder: Path) -> Found:
    """Return the places below a folder whose names are those of the parts, flat ones first."""
    found = Found([], [], [])
    seen: set[str] = set()
    for parent, folders, files in os.walk(folder, followlinks=True):
        here, real = Path(parent), os.path.realpath(parent)
        depth = len(here.relative_to(folder).parts)
        if real in seen or depth >= _DEPTH:
            folders.clear()
        if real in seen:
            continue
        seen.add(real)
        folders[:] = sorted(n for n in folders if not is_added(n) and not _is_test(n))
        for name in sorted(n for n in files if not is_added(n)):
            if name.lower().endswith(SUFFIXES):
                _add(found, here / name)
        inside = any(known_name(part) == IMAGES for part in here.relative_to(folder).parts)
        found.images += [here / n for n in folders if not inside and known_name(n) == IMAGES]
    for places in (found.images, found.solutions, found.competition):
        places.sort(key=lambda path: (len(path.parts), path.is_dir(), str(path)))
    return found


def _add(found: Found, file: Path) -> None:
    """Add a file to the places that its name fits."""
    name, is_zip = known_name(file.name), file.suffix.lower() == ".zip"
    if name == SOLUTIONS:
        found.solutions.append(file)
    elif name == IMAGES and is_zip:
        found.images.append(file)
    elif name == _COMPETITION and is_zip:
        found.competition.append(file)


def known_name(name: str) -> str:
    """Return a name in small letters, without suffixes and without what marks a second copy."""
    plain = name.casefold()
    while plain.endswith(SUFFIXES):
        plain = plain[: plain.rindex(".")]
    return _COPY.sub("", plain)


def _is_test(name: str) -> bool:
    """Return whether a name is that of Kaggle's images for the test."""
    return known_name(name) == TEST_IMAGES


def contents(source: Path, competition: Path | None) -> str:
    """Return what a folder or the zip of the competition holds, for a message."""
    if competition is None:
        folder = source if source.is_dir() else source.parent
        names = sorted(path.name for path in folder.iterdir() if not is_added(path.name))
    else:
        with zipfile.ZipFile(competition) as archive:
            names = sorted({n.replace("\\", "/").split("/")[0] for n in archive.namelist()})
    packed = [n for n in names if n.lower().endswith(_UNREAD) and known_name(n.split(".")[0])]
    packed = [n for n in packed if known_name(n.split(".")[0]) in (IMAGES, SOLUTIONS)]
    if packed:
        return f"{packed[0]} is not read; unpack it, or save it as a zip or as CSV"
    shown = ", ".join(names[:5]) + (f" and {len(names) - 5:,} more" if len(names) > 5 else "")
    return f"it holds {shown or 'nothing'}"
