"""Galaxy files: npz files with `images` [N, S, S, 3] uint8 and `target` [N, 37] float.

The arrays `ids`, `unbiased`, `num_votes` and `crop` are optional. Images are mapped, not read into
memory, so that all trials of a node share the same pages of memory. galaxytune writes images
without compression, and such images are mapped from the galaxy file itself. Compressed images are
first unpacked into the folder of `cache_folder`, once for each version of the file, and mapped
from there.
"""

import hashlib
import os
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import IO, Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from search_spaces.declaration import InvalidInput
from trainables.decision_tree import NUM_ANSWERS
from trainables.files import DAMAGE, one_line, write_atomically
from trainables.galaxies.cache import cache_folder, writing_to_the_cache

DEFAULT_CROP = 210  # pixels: the notebooks' centre crop of a Kaggle JPEG of 424 x 424 pixels
_CHUNK = 1 << 22  # bytes that are read at a time


@dataclass(frozen=True)
class Galaxies:
    """A set of N galaxies, such as those of one galaxy file.

    images: pixels [N, S, S, 3] uint8; `open_galaxies` maps them read-only. target: vote fractions
    [N, 37] float32 in 0..1, up to an error of 1e-6 above 1. ids: the galaxies' ids [N] int64, each
    different; the row numbers from 0 if the file has no ids. unbiased: flags [N] bool, True for
    rows that may serve for validation or test; None if all rows may. num_votes: number of
    volunteers of each galaxy [N], of any integer type; None if unknown. crop: width and height of
    the square that was cut from the survey's JPEG, in pixels; DEFAULT_CROP if the file does not
    say. identity: text that changes when the file's path, size, time of change or images change;
    caches use the text as a key.
    """

    images: NDArray[np.uint8]
    target: NDArray[np.float32]
    ids: NDArray[np.int64]
    unbiased: NDArray[np.bool_] | None
    num_votes: NDArray[np.int16] | None
    crop: int
    identity: str

    def __len__(self) -> int:
        """Return the number of galaxies, N."""
        return len(self.target)


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


def _members(path: Path) -> dict[str, zipfile.ZipInfo]:
    """Return the zip entries of a galaxy file by array name.

    InvalidInput is raised if the file is missing, cannot be read, is no npz file, or has no
    `images` or `target`, and if its folder may not be entered.
    """
    try:
        is_file = path.is_file()
    except OSError as error:  # such as a folder that may not be entered, or a name too long
        raise InvalidInput(f"{path} cannot be read: {error.strerror}") from None
    if not is_file:
        raise InvalidInput(f"no galaxy file {path}")
    try:
        with zipfile.ZipFile(path) as archive:
            members = {i.filename.removesuffix(".npy"): i for i in archive.infolist()}
    except DAMAGE as error:
        raise InvalidInput(
            f"{path} is not a whole npz file ({one_line(error)}); "
            "make one with `galaxytune data build`"
        ) from None
    for name in ("images", "target"):
        if name not in members:
            found = ", ".join(map(_printable, sorted(members))) or "nothing"
            raise InvalidInput(f"{path} has no array {name!r}; it holds {found}")
    return members


def _read_header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Read the npy header at the file's position; return the array's shape and type.

    The position afterwards is the first byte of the array. An array in Fortran order with more
    than one dimension raises InvalidInput; a damaged header raises an error of DAMAGE.
    """
    version = np.lib.format.read_magic(file)
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }[version]
    shape, fortran_order, dtype = read(file)
    if fortran_order and len(shape) > 1:
        raise InvalidInput("the images are in Fortran order; save them in C order")
    return shape, dtype


def _map_images(path: Path, info: zipfile.ZipInfo) -> NDArray[np.uint8]:
    """Return the images of a galaxy file as a read-only mapped array; their form is not checked.

    info: the zip entry of the images. Compressed images are unpacked into the cache, if they are
    not there, and mapped from the cache. Images in Fortran order raise InvalidInput unless they
    are compressed, and a cache that cannot be written. An error of DAMAGE is raised if the file is
    damaged.
    """
    if info.compress_type != zipfile.ZIP_STORED:
        return np.load(_unpacked(path, info), mmap_mode="r")
    with path.open("rb") as file:
        file.seek(info.header_offset)
        local = file.read(30)  # the zip entry's own header, before its name and its extra field
        lengths = np.frombuffer(local[26:30], dtype="<u2")
        file.seek(int(lengths.sum()), os.SEEK_CUR)
        shape, dtype = _read_header(file)
        return np.memmap(path, dtype=dtype, mode="r", offset=file.tell(), shape=shape)


def _identity(path: Path, images: zipfile.ZipInfo) -> str:
    """Return a text of the file's path, size, time of change and checksum of the images.

    images: the zip entry of the images. OSError is raised if the file is missing.
    """
    state = path.stat()
    return f"{path.resolve()}:{state.st_size}:{state.st_mtime_ns}:{images.CRC}"


def _unpacked(path: Path, info: zipfile.ZipInfo) -> Path:
    """Return the path of a compressed file's unpacked images, an npy file in the cache.

    info: the zip entry of the images. The first process unpacks the images; other processes wait
    until the images are complete. The unpacked images of earlier versions of the file stay in the
    cache. InvalidInput is raised if the cache cannot be written, an error of DAMAGE if the packed
    images are damaged.
    """
    folder = cache_folder() / hashlib.sha256(_identity(path, info).encode()).hexdigest()[:24]
    images = folder / "images.npy"
    if images.exists():  # moved there in one step, so that the file is whole
        return images
    with writing_to_the_cache():
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / "lock")
        lock.acquire()
    try:
        if not images.exists():
            _unpack(path, info, images)
    finally:
        lock.release()
    return images


def _unpack(path: Path, info: zipfile.ZipInfo, images: Path) -> None:
    """Write a compressed file's images to the npy file `images`; see `_unpacked` for the errors.

    If anything fails, no part of the images stays on the disk.
    """
    partial = images.with_suffix(".partial")
    with writing_to_the_cache():
        out = partial.open("wb", buffering=0)
    try:
        with out, zipfile.ZipFile(path) as archive, archive.open(info) as packed:
            while chunk := packed.read(_CHUNK):
                with writing_to_the_cache():
                    _write_whole(out, chunk)
        with writing_to_the_cache():
            os.replace(partial, images)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _write_whole(out: FileIO, chunk: bytes) -> None:
    """Write all bytes of a chunk to an unbuffered file; OSError if the disk refuses."""
    left = memoryview(chunk)
    while left:
        left = left[out.write(left) :]


def _array(path: Path, members: Mapping[str, zipfile.ZipInfo], name: str) -> NDArray[Any] | None:
    """Return the array `name` of a galaxy file, read into memory, or None if the file has none.

    members: the zip entries of the file by array name. A damaged array, or an array of Python
    objects, raises an error of DAMAGE.
    """
    if name not in members:
        return None
    with zipfile.ZipFile(path) as archive, archive.open(members[name]) as file:
        return np.lib.format.read_array(file, allow_pickle=False)


def open_galaxies(path: Path) -> Galaxies:
    """Return the galaxies of a file: images mapped read-only, all other arrays read into memory.

    Compressed images are first unpacked into the folder of `cache_folder`, if they are not there.

    InvalidInput is raised, with one line, if the file is missing, is damaged or cannot be read, if
    an array has not the type, shape or range that `Galaxies` names, if an id occurs twice, if
    images that are not compressed are in Fortran order, or if the cache cannot be written.
    Damaged pixels of images that are not compressed are not found here, but by `fingerprint`.
    """
    members = _members(path)
    try:
        images = _map_images(path, members["images"])
        target = _array(path, members, "target")
        ids = _array(path, members, "ids")
        unbiased = _array(path, members, "unbiased")
        num_votes = _array(path, members, "num_votes")
        crop = _array(path, members, "crop")
    except InvalidInput as error:
        raise InvalidInput(f"{path}: {error}") from None
    except DAMAGE as error:
        raise InvalidInput(f"{path} is damaged: {one_line(error)}") from None
    assert target is not None  # _members refuses a file without target
    _check_form(path, images, target)
    if ids is None:
        ids = np.arange(len(target))
    _check_columns(path, len(target), ids=ids, unbiased=unbiased, num_votes=num_votes)
    if crop is not None and (crop.shape != () or crop.dtype.kind not in "iu"):
        raise InvalidInput(f"{path}: crop must be one whole number, got {crop!r}")
    if len(np.unique(ids)) != len(ids):
        raise InvalidInput(f"{path}: ids are not unique")
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
    """Return a name for an error message, with unprintable characters escaped."""
    return name if name.isprintable() else repr(name)


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


def _check_form(path: Path, images: NDArray[Any], target: NDArray[Any]) -> None:
    """Raise InvalidInput unless images and targets have the right types, shapes and values.

    Images must be uint8 [N, S, S, 3], targets float [N, 37] in 0..1, with N and S at least 1. A
    target may exceed 1 by 1e-6.
    """
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3:
        raise InvalidInput(
            f"{path}: images must be uint8 [N, S, S, 3], got {images.dtype} {list(images.shape)}"
        )
    if images.shape[1] != images.shape[2] or images.shape[1] == 0:
        raise InvalidInput(f"{path}: images must be square, got {list(images.shape)}")
    if target.ndim != 2 or target.shape[1] != NUM_ANSWERS or target.dtype.kind != "f":
        raise InvalidInput(
            f"{path}: target must be float [N, {NUM_ANSWERS}], "
            f"got {target.dtype} {list(target.shape)}"
        )
    if len(images) != len(target) or len(target) == 0:
        raise InvalidInput(
            f"{path}: {len(images)} images but {len(target)} targets; the numbers must be equal"
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
                    while chunk := file.read(_CHUNK):
                        yield chunk


def fingerprint(path: Path) -> str:
    """Return "sha256:" and the SHA-256 digest, in hexadecimal, of the arrays of a galaxy file.

    The arrays are `images`, `target`, `ids`, `unbiased`, `num_votes` and `crop`, as far as the
    file has them; other arrays do not matter. Each of the six is read completely, so that damage
    anywhere in it is found. Compression does not change the digest.

    InvalidInput is raised if the file is missing, damaged, cannot be read, or has no `images` or
    `target`. The form of the arrays is
    not checked.
    """
    digest = hashlib.sha256()
    _members(path)
    try:
        for chunk in _bytes_of(path):
            digest.update(chunk)
    except DAMAGE as error:
        raise InvalidInput(f"{path} is damaged: {one_line(error)}") from None
    return f"sha256:{digest.hexdigest()}"
