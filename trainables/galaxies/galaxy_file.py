"""Galaxy files: npz files with `images` [N, S, S, 3] uint8 and `target` [N, 37] float.

The arrays `ids`, `unbiased`, `num_votes` and `crop` are optional. Images are mapped, not read into
memory, so that all trials of a node share the same pages of memory (see `npz_file`).
"""

import hashlib
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search_spaces.declaration import InvalidInput
from trainables.decision_tree import NUM_ANSWERS
from trainables.files import write_atomically
from trainables.galaxies.npz_file import (
    CHUNK,
    check_images,
    identity_of,
    map_images,
    members_of,
    names_of,
    naming,
    read_array,
    read_crop,
)

DEFAULT_CROP = 210  # pixels: the notebooks' centre crop of a Kaggle JPEG of 424 x 424 pixels


@dataclass(frozen=True)
class Galaxies:
    """A set of N galaxies, such as those of one galaxy file.

    images: pixels [N, S, S, 3] uint8; `open_galaxies` maps them read-only. target: vote fractions
    [N, 37] float32 in 0..1, up to an error of 1e-6 above 1. ids: the galaxies' ids [N] int64, each
    different; the row numbers from 0 if the file has no ids. unbiased: flags [N] bool, True for
    rows that may serve for validation or test; None if all rows may. num_votes: number of
    volunteers of each galaxy [N], of any integer type; None if unknown. crop: width and height of
    the square that was cut from the survey's JPEG, in pixels; DEFAULT_CROP if the file does not
    record it. identity: text that changes when the file's path, size, time of change or images
    change; caches use the text as a key. crop_is_recorded: False if the file does not record the
    crop, so that `crop` is an assumption.
    """

    images: NDArray[np.uint8]
    target: NDArray[np.float32]
    ids: NDArray[np.int64]
    unbiased: NDArray[np.bool_] | None
    num_votes: NDArray[np.int16] | None
    crop: int
    identity: str
    crop_is_recorded: bool = True

    def __len__(self) -> int:
        """Return the number of galaxies, N."""
        return len(self.target)

    @property
    def are_partly_unbiased(self) -> bool:
        """True if the file marks some galaxies, but not all, as unbiased.

        Only then can the training galaxies be of another kind than those that are scored.
        """
        flags = self.unbiased
        return flags is not None and bool(flags.any()) and not bool(flags.all())


def save_galaxies(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write an npz file without compression, so that its images can be mapped.

    The file is written completely or not at all, and replaces a file of the same name. Its folder
    is made if it does not exist. arrays: the arrays by name, such as `images` and `target`; their
    form is not checked, but `open_galaxies` refuses another form. OSError is raised if the file
    cannot be written.
    """

    def write(temporary: Path) -> None:
        """Write the arrays to the file `temporary`."""
        with temporary.open("wb") as file:  # numpy adds a suffix to a name, but not to a file
            np.savez(file, **dict[str, Any](arrays))

    write_atomically(path, write)


def open_galaxies(path: Path) -> Galaxies:
    """Return the galaxies of a file: images mapped read-only, all other arrays read into memory.

    Compressed images are first unpacked into the folder of `cache_folder`, if they are not there.

    InvalidInput is raised, with one line, if the file is missing, is damaged or cannot be read, if
    an array has not the type, shape or range that `Galaxies` names, if an id occurs twice, if
    images that are not compressed are in Fortran order, or if the cache cannot be written.
    Damaged pixels of images that are not compressed are not found here, but by `fingerprint`.
    """
    members = _members(path)
    with naming(path):
        images = map_images(path, members["images"])
        target = read_array(path, members, "target")
        ids = read_array(path, members, "ids")
        unbiased = read_array(path, members, "unbiased")
        num_votes = read_array(path, members, "num_votes")
        crop = read_crop(path, members)
    assert target is not None  # _members refuses a file without target
    check_images(path, images)
    _check_target(path, len(images), target)
    if ids is None:
        ids = np.arange(len(target))
    _check_columns(path, len(target), ids=ids, unbiased=unbiased, num_votes=num_votes)
    _check_ids(path, ids)
    return Galaxies(
        images=images,
        target=target.astype(np.float32, copy=False),
        ids=ids.astype(np.int64, copy=False),
        unbiased=None if unbiased is None else unbiased.astype(bool),
        num_votes=num_votes,
        crop=DEFAULT_CROP if crop is None else crop,
        identity=identity_of(path, members["images"]),
        crop_is_recorded=crop is not None,
    )


def _members(path: Path) -> dict[str, zipfile.ZipInfo]:
    """Return the zip entries of a galaxy file with votes by array name.

    The errors are those of `members_of`; InvalidInput is also raised if there is no `target`.
    """
    members = members_of(path)
    if "target" not in members:
        raise InvalidInput(
            f"{path} holds no votes (no array 'target'; it holds {names_of(members)}); only "
            "`galaxytune predict` takes a file without votes"
        )
    return members


def _check_columns(path: Path, length: int, **columns: NDArray[Any] | None) -> None:
    """Raise InvalidInput unless each column has shape [length] and the right type.

    columns: the columns by name. The type is bool or integer for `unbiased` and integer for all
    others. None is skipped.
    """
    for name, column in columns.items():
        if column is None:
            continue
        if column.shape != (length,):
            raise InvalidInput(f"{path}: {name} has shape {column.shape}, not ({length},)")
        kinds, wanted = ("bui", "true or false") if name == "unbiased" else ("iu", "whole numbers")
        if column.dtype.kind not in kinds:
            raise InvalidInput(f"{path}: {name} must be {wanted}, got {column.dtype}")


def _check_ids(path: Path, ids: NDArray[Any]) -> None:
    """Raise InvalidInput if an id [N], of any integer type, occurs twice or is above int64."""
    if int(ids.max()) > np.iinfo(np.int64).max:
        raise InvalidInput(f"{path}: ids holds {ids.max()}, which is larger than int64 can hold")
    order = np.argsort(ids, kind="stable")
    twice = np.flatnonzero(ids[order][1:] == ids[order][:-1])
    if len(twice):
        first, second = order[twice[0]], order[twice[0] + 1]
        raise InvalidInput(
            f"{path}: ids holds {ids[first]} twice, in the rows {first} and {second} (counted "
            "from 0)"
        )


def _check_target(path: Path, num_images: int, target: NDArray[Any]) -> None:
    """Raise InvalidInput unless targets have the right type, shape and values.

    Targets must be float [num_images, 37] in 0..1; a target may exceed 1 by 1e-6.
    """
    if target.ndim != 2 or target.shape[1] != NUM_ANSWERS or target.dtype.kind != "f":
        raise InvalidInput(
            f"{path}: target must be float [N, {NUM_ANSWERS}], "
            f"got {target.dtype} {list(target.shape)}"
        )
    if num_images != len(target):
        raise InvalidInput(
            f"{path}: {num_images} images but {len(target)} targets; the numbers must be equal"
        )
    if not np.isfinite(target).all():
        rows = np.flatnonzero(~np.isfinite(target).all(axis=1))
        raise InvalidInput(
            f"{path}: target is NaN or infinite in {len(rows)} rows, first {rows[0]}"
        )
    if target.min() < 0 or target.max() > 1 + 1e-6:
        raise InvalidInput(
            f"{path}: vote fractions must lie in 0..1, got {target.min():g}..{target.max():g}"
        )


def _bytes_of(path: Path) -> Iterator[bytes]:
    """Yield the bytes of a galaxy file's known arrays, unpacked, in pieces of at most 4 MiB.

    The known arrays are those of `Galaxies`. A damaged array raises an error of DAMAGE.
    """
    with zipfile.ZipFile(path) as archive:
        for name in ("images", "target", "ids", "unbiased", "num_votes", "crop"):
            if f"{name}.npy" in archive.namelist():
                with archive.open(f"{name}.npy") as file:
                    while chunk := file.read(CHUNK):
                        yield chunk


def fingerprint(path: Path) -> str:
    """Return "sha256:" and the SHA-256 digest, in hexadecimal, of the arrays of a galaxy file.

    The arrays are `images`, `target`, `ids`, `unbiased`, `num_votes` and `crop`, as far as the
    file has them; other arrays do not matter. Each of the six is read completely, so that damage
    anywhere in it is found. Compression does not change the digest.

    InvalidInput is raised if the file is missing, damaged, cannot be read, or has no `images` or
    `target`. The form of the arrays is not checked.
    """
    digest = hashlib.sha256()
    _members(path)
    with naming(path):
        for chunk in _bytes_of(path):
            digest.update(chunk)
    return f"sha256:{digest.hexdigest()}"
