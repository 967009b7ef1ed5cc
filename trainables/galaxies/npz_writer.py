"""The writing of npz files block by block, without compression, whole or not at all."""

import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from trainables.decision_tree import NUM_ANSWERS
from trainables.files import check_free_space, write_atomically
from trainables.galaxies.npz_file import CHUNK

_CRC_AT = 14  # place of the checksum in the header of a zip entry, in bytes


def save_galaxy_blocks(
    path: Path,
    blocks: Iterable[NDArray[np.uint8]],
    *,
    shape: tuple[int, int, int, int],
    columns: Callable[[], Mapping[str, NDArray[Any]]],
) -> None:
    """Write the file that `save_galaxies` would write, with one block of images in memory.

    blocks: images [b, S, S, 3] uint8 in the order of the file. shape: the expected shape
    (N, S, S, 3) of all blocks together; fewer images than N may come. columns: is called after the
    last block and returns the other arrays by name, in the order of the file.

    The file is written completely or not at all. OSError is raised if the file cannot be written;
    errors of `blocks` and `columns` are raised unchanged. AssertionError is raised if more than N
    images come, or a block has another shape.
    """

    def write(temporary: Path) -> None:
        """Write the blocks and the columns to the file `temporary`."""
        with temporary.open("w+b") as file, zipfile.ZipFile(file, "w") as archive:
            info, header_at, written = _write_images(archive, blocks, shape)
            if written < shape[0]:
                _correct_length(file, info, header_at, (written, *shape[1:]))
            for name, column in columns().items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, np.asanyarray(column), allow_pickle=False)

    write_atomically(path, write)


def check_room(path: Path, shape: tuple[int, int, int, int], advice: str) -> None:
    """Raise InvalidInput unless the disk of a path has room for a galaxy file of this shape.

    shape: the shape (N, S, S, 3) of the images. advice: what the user can do.
    """
    num_galaxies, side = shape[:2]
    row = side * side * 3 + 2 * NUM_ANSWERS * 4 + NUM_ANSWERS * 2 + 16  # with simulated columns
    check_free_space(path, num_galaxies * row, advice)


def _write_images(
    archive: zipfile.ZipFile, blocks: Iterable[NDArray[np.uint8]], shape: tuple[int, int, int, int]
) -> tuple[zipfile.ZipInfo, int, int]:
    """Write the entry `images.npy`; return the entry, the place of its npy header, and the rows.

    The npy header says `shape`; the returned number of rows is that of the blocks.
    """
    written = 0
    with archive.open("images.npy", "w", force_zip64=True) as member:
        assert archive.fp is not None
        header_at = archive.fp.tell()
        _write_header(member, shape)
        for block in blocks:
            written += len(block)
            assert written <= shape[0] and block.shape[1:] == shape[1:], block.shape
            member.write(np.ascontiguousarray(block, dtype=np.uint8).data)
    return archive.getinfo("images.npy"), header_at, written


def _write_header(file: IO[bytes], shape: tuple[int, int, int, int]) -> None:
    """Write the npy header of images of a shape; numpy gives it the same length for every N."""
    descr = np.lib.format.dtype_to_descr(np.dtype(np.uint8))
    np.lib.format.write_array_header_1_0(
        file, {"descr": descr, "fortran_order": False, "shape": shape}
    )


def _correct_length(
    file: IO[bytes], info: zipfile.ZipInfo, header_at: int, shape: tuple[int, int, int, int]
) -> None:
    """Write the npy header of an entry again for another shape, and correct its checksum.

    file: the open zip file. info: the entry, which gets the new checksum. header_at: the place of
    the npy header in the file. The position of the file is the same afterwards as before.
    """
    end = file.tell()
    file.seek(header_at)
    _write_header(file, shape)
    file.seek(header_at)
    left, checksum = info.file_size, 0
    while left:
        chunk = file.read(min(CHUNK, left))
        checksum, left = zlib.crc32(chunk, checksum), left - len(chunk)
    info.CRC = checksum
    file.seek(info.header_offset + _CRC_AT)
    file.write(checksum.to_bytes(4, "little"))
    file.seek(end)
