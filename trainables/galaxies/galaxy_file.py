"""Galaxy files: npz with `images` [N, S, S, 3] uint8 and `target` [N, 37], perhaps `ids`.

Images are never copied into a process. A member stored without compression, as galaxytune
writes it, is mapped where it stands; a compressed one is unpacked once a machine into a cache
and mapped from there, so that all trials of a node share the same pages of memory.
"""

import hashlib
import os
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from trainables.decision_tree import NUM_ANSWERS
from trainables.files import write_atomically
from trainables.galaxies.damage import DAMAGE, one_line

DEFAULT_CROP = 210  # pixels of the 424 of a Kaggle JPEG: the student project's centre crop
_CHUNK = 1 << 22


@dataclass(frozen=True)
class Galaxies:
    """All galaxies of one file, images mapped read-only.

    images [N, S, S, 3] uint8; target [N, 37] float32 in 0..1; ids [N] int64 (the row number
    where the file has none); unbiased [N] bool, rows fit to be held out, or None for all;
    num_votes [N], volunteers a galaxy, or None; crop: pixels cut from the survey's JPEG;
    identity: changes with the file's place, size or time, for caches of what follows from it.
    """

    images: NDArray[np.uint8]
    target: NDArray[np.float32]
    ids: NDArray[np.int64]
    unbiased: NDArray[np.bool_] | None
    num_votes: NDArray[np.int16] | None
    crop: int
    identity: str

    def __len__(self) -> int:
        """Number of galaxies."""
        return len(self.target)


def cache_folder() -> Path:
    """Where unpacked images lie: $GALAXYTUNE_CACHE, else the user's cache folder."""
    named = os.environ.get("GALAXYTUNE_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(named) if named else Path(base) / "galaxytune"


def save_galaxies(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write an uncompressed npz whole or not at all, so that its images can be mapped."""

    def write(temporary: Path) -> None:
        with temporary.open("wb") as file:  # given a name, numpy would add a suffix to it
            np.savez(file, **dict[str, Any](arrays))

    write_atomically(path, write)


def _members(path: Path) -> dict[str, zipfile.ZipInfo]:
    if not path.is_file():
        raise ValueError(f"no galaxy file {path}")
    try:
        with zipfile.ZipFile(path) as archive:
            members = {i.filename.removesuffix(".npy"): i for i in archive.infolist()}
    except DAMAGE as error:
        raise ValueError(
            f"{path} is not a whole npz file ({one_line(error)}); "
            "make one with `galaxytune data build`"
        ) from None
    for name in ("images", "target"):
        if name not in members:
            found = ", ".join(map(_printable, sorted(members))) or "nothing"
            raise ValueError(f"{path} has no array {name!r}; it holds {found}")
    return members


def _read_header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = np.lib.format.read_magic(file)
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }[version]
    shape, fortran_order, dtype = read(file)
    if fortran_order and len(shape) > 1:
        raise ValueError("array is in Fortran order, save it in C order")
    return shape, dtype


def _map_images(path: Path, info: zipfile.ZipInfo) -> NDArray[np.uint8]:
    if info.compress_type != zipfile.ZIP_STORED:
        return np.load(_unpacked(path, info), mmap_mode="r")
    with path.open("rb") as file:
        file.seek(info.header_offset)
        local = file.read(30)  # zip's local header; name and extra field follow it
        lengths = np.frombuffer(local[26:30], dtype="<u2")
        file.seek(int(lengths.sum()), os.SEEK_CUR)
        shape, dtype = _read_header(file)
        return np.memmap(path, dtype=dtype, mode="r", offset=file.tell(), shape=shape)


def _identity(path: Path, images: zipfile.ZipInfo) -> str:
    state = path.stat()
    return f"{path.resolve()}:{state.st_size}:{state.st_mtime_ns}:{images.CRC}"


def _unpacked(path: Path, info: zipfile.ZipInfo) -> Path:
    """The unpacked images of a compressed file; the first process to ask unpacks them."""
    folder = cache_folder() / hashlib.sha256(_identity(path, info).encode()).hexdigest()[:24]
    images = folder / "images.npy"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "lock"):
        if not images.exists():
            partial = folder / "images.partial"
            with zipfile.ZipFile(path) as archive, archive.open(info) as packed:
                with partial.open("wb") as out:
                    while chunk := packed.read(_CHUNK):
                        out.write(chunk)
            os.replace(partial, images)
    return images


def _array(path: Path, members: Mapping[str, zipfile.ZipInfo], name: str) -> NDArray[Any] | None:
    if name not in members:
        return None
    with zipfile.ZipFile(path) as archive, archive.open(members[name]) as file:
        return np.lib.format.read_array(file, allow_pickle=False)


def open_galaxies(path: Path) -> Galaxies:
    """Map a galaxy file; ValueError in one line if it is damaged or not of the right form."""
    members = _members(path)
    try:
        images = _map_images(path, members["images"])
        target = _array(path, members, "target")
        ids = _array(path, members, "ids")
        unbiased = _array(path, members, "unbiased")
        num_votes = _array(path, members, "num_votes")
        crop = _array(path, members, "crop")
    except DAMAGE as error:
        raise ValueError(f"{path} is damaged: {one_line(error)}") from None
    assert target is not None  # _members has seen it
    _check_form(path, images, target)
    if ids is None:
        ids = np.arange(len(target))
    _check_columns(path, len(target), ids=ids, unbiased=unbiased, num_votes=num_votes)
    if crop is not None and (crop.shape != () or crop.dtype.kind not in "iu"):
        raise ValueError(f"{path}: crop must be one whole number, got {crop!r}")
    if len(np.unique(ids)) != len(ids):
        raise ValueError(f"{path}: ids are not unique")
    return Galaxies(
        images=images,
        target=target.astype(np.float32, copy=False),
        ids=ids.astype(np.int64, copy=False),
        unbiased=None if unbiased is None else unbiased.astype(bool),
        num_votes=num_votes,
        crop=DEFAULT_CROP if crop is None else int(crop),
        identity=_identity(path, members["images"]),
    )


def _printable(name: str) -> str:
    return name if name.isprintable() else repr(name)


def _check_columns(path: Path, length: int, **columns: NDArray[Any] | None) -> None:
    for name, column in columns.items():
        if column is None:
            continue
        if column.shape != (length,):
            raise ValueError(f"{path}: {name} has shape {column.shape}, not ({length},)")
        kinds, wanted = ("bui", "true or false") if name == "unbiased" else ("iu", "whole numbers")
        if column.dtype.kind not in kinds:
            raise ValueError(f"{path}: {name} must be {wanted}, got {column.dtype}")


def _check_form(path: Path, images: NDArray[Any], target: NDArray[Any]) -> None:
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3:
        raise ValueError(
            f"{path}: images must be uint8 [N, S, S, 3], got {images.dtype} {list(images.shape)}"
        )
    if images.shape[1] != images.shape[2] or images.shape[1] == 0:
        raise ValueError(f"{path}: images must be square, got {list(images.shape)}")
    if target.ndim != 2 or target.shape[1] != NUM_ANSWERS or target.dtype.kind != "f":
        raise ValueError(
            f"{path}: target must be float [N, {NUM_ANSWERS}], "
            f"got {target.dtype} {list(target.shape)}"
        )
    if len(images) != len(target) or len(target) == 0:
        raise ValueError(f"{path}: {len(images)} images and {len(target)} targets do not pair up")
    if not np.isfinite(target).all():
        rows = np.flatnonzero(~np.isfinite(target).all(axis=1))
        raise ValueError(f"{path}: target is NaN or infinite in {len(rows)} rows, first {rows[0]}")
    if target.min() < 0 or target.max() > 1 + 1e-6:
        raise ValueError(
            f"{path}: vote fractions must lie in 0..1, got {target.min():g}..{target.max():g}"
        )


def _bytes_of(path: Path) -> Iterator[bytes]:
    with zipfile.ZipFile(path) as archive:
        for name in ("images", "target", "ids", "unbiased", "num_votes", "crop"):
            if f"{name}.npy" in archive.namelist():
                with archive.open(f"{name}.npy") as file:
                    while chunk := file.read(_CHUNK):
                        yield chunk


def fingerprint(path: Path) -> str:
    """SHA-256 of all arrays that decide a study; each is read whole, so damage is found."""
    digest = hashlib.sha256()
    _members(path)
    try:
        for chunk in _bytes_of(path):
            digest.update(chunk)
    except DAMAGE as error:
        raise ValueError(f"{path} is damaged: {one_line(error)}") from None
    return f"sha256:{digest.hexdigest()}"
