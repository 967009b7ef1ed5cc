"""Npz files: the arrays of a file, and its images mapped, not read into memory.

galaxytune writes images without compression, and such images are mapped from the npz file itself.
Compressed images are first unpacked into the folder of `cache_folder`, once for each version of
the file, and mapped from there.
"""

import hashlib
import os
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import IO, Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from search_spaces.declaration import InvalidInput, check_regular
from trainables.files import DAMAGE, one_line
from trainables.galaxies.cache import cache_folder, writing_to_the_cache

CHUNK = 1 << 22  # bytes that are read at a time
Members = Mapping[str, zipfile.ZipInfo]  # the zip entries of a file by array name


def members_of(path: Path) -> dict[str, zipfile.ZipInfo]:
    """Return the zip entries of an npz file by array name.

    InvalidInput is raised if the file is missing or not regular, cannot be read, is no npz
    file, or has no array `images`, and if its folder may not be entered.
    """
    check_regular(path)
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
    if "images" not in members:
        raise InvalidInput(f"{path} has no array 'images'; it holds {names_of(members)}")
    return members


def names_of(members: Members) -> str:
    """Return the names of a file's arrays for a message, or `nothing`."""
    return ", ".join(n if n.isprintable() else repr(n) for n in sorted(members)) or "nothing"


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Turn the errors of reading an array of a file into InvalidInput that names the file.

    InvalidInput gets the path in front; an error of DAMAGE becomes `PATH is damaged: ...`.
    """
    try:
        yield
    except InvalidInput as error:
        raise InvalidInput(f"{path}: {error}") from None
    except DAMAGE as error:
        raise InvalidInput(f"{path} is damaged: {one_line(error)}") from None


def map_images(path: Path, info: zipfile.ZipInfo) -> NDArray[np.uint8]:
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
        if 0 in shape:  # an empty array cannot be mapped
            return np.zeros(shape, dtype)
        return np.memmap(path, dtype=dtype, mode="r", offset=file.tell(), shape=shape)


def _read_header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Read the npy header at the file's position; return the array's shape and type.

    The position afterwards is the first byte of the array. An array in Fortran order with more
    than one dimension raises InvalidInput; a damaged header raises an error of DAMAGE.
    """
    version = np.lib.format.read_magic(file)
    read: Callable[..., tuple[tuple[int, ...], bool, np.dtype[Any]]] = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }[version]
    shape, fortran_order, dtype = read(file)
    if fortran_order and len(shape) > 1:
        raise InvalidInput("the images are in Fortran order; save them in C order")
    return shape, dtype


def identity_of(path: Path, images: zipfile.ZipInfo) -> str:
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
    folder = cache_folder() / hashlib.sha256(identity_of(path, info).encode()).hexdigest()[:24]
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
            while chunk := packed.read(CHUNK):
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


def read_array(path: Path, members: Members, name: str) -> NDArray[Any] | None:
    """Return the array `name` of a galaxy file, read into memory, or None if the file has none.

    members: the zip entries of the file by array name. A damaged array, or an array of Python
    objects, raises an error of DAMAGE.
    """
    if name not in members:
        return None
    with zipfile.ZipFile(path) as archive, archive.open(members[name]) as file:
        return np.lib.format.read_array(file, allow_pickle=False)


def check_images(path: Path, images: NDArray[Any]) -> None:
    """Raise InvalidInput unless images are uint8 [N, S, S, 3] with N and S at least 1."""
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3:
        raise InvalidInput(
            f"{path}: images must be uint8 [N, S, S, 3], got {images.dtype} {list(images.shape)}"
        )
    if images.shape[1] != images.shape[2] or images.shape[1] == 0:
        raise InvalidInput(f"{path}: images must be square, got {list(images.shape)}")
    if len(images) == 0:
        raise InvalidInput(f"{path} holds no image; its array of images is empty")


def read_crop(path: Path, members: Members) -> int | None:
    """Return the crop that a galaxy file records, in pixels, or None if the file records none.

    InvalidInput is raised if the crop is not one whole number of at least 1; an error of DAMAGE if
    the file is damaged.
    """
    crop = read_array(path, members, "crop")
    if crop is None:
        return None
    if crop.shape != () or crop.dtype.kind not in "iu" or crop < 1:
        raise InvalidInput(f"crop must be one whole number of at least 1, got {crop!r}")
    return int(crop)
