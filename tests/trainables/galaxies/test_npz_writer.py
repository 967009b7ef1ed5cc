"""Galaxy files written block by block: the bytes of numpy's file, however many images come."""

import resource
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from trainables.files import DISK_REFUSES
from trainables.galaxies.galaxy_file import fingerprint, open_galaxies, save_galaxies
from trainables.galaxies.npz_writer import save_galaxy_blocks

IMAGES = np.random.default_rng(0).integers(0, 256, (13, 8, 8, 3), dtype=np.uint8)
TARGET = np.random.default_rng(1).random((13, 37), dtype=np.float32)


def columns(length: int) -> dict[str, NDArray[Any]]:
    return {"target": TARGET[:length], "ids": np.arange(length), "crop": np.array(210)}


@pytest.mark.parametrize("length", [13, 12, 9, 1])
@pytest.mark.parametrize("block", [1, 5, 13])
def test_the_bytes_are_those_of_numpys_file(length: int, block: int, tmp_path: Path) -> None:
    blocks = [IMAGES[start : min(start + block, length)] for start in range(0, length, block)]
    save_galaxy_blocks(
        tmp_path / "deep" / "blocks.npz",
        blocks,
        shape=IMAGES.shape,
        columns=lambda: columns(length),
    )
    save_galaxies(tmp_path / "numpy.npz", {"images": IMAGES[:length], **columns(length)})
    written = tmp_path / "deep" / "blocks.npz"
    assert written.read_bytes() == (tmp_path / "numpy.npz").read_bytes()
    np.testing.assert_array_equal(open_galaxies(written).images, IMAGES[:length])
    assert fingerprint(written) == fingerprint(tmp_path / "numpy.npz")


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> dict[str, NDArray[Any]]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        save_galaxy_blocks(tmp_path / "g.npz", [IMAGES], shape=IMAGES.shape, columns=fail)
    assert not list(tmp_path.iterdir())


WRITE = """
import resource, sys, numpy as np
from pathlib import Path
from trainables.galaxies.npz_writer import save_galaxy_blocks
block = np.zeros((100, 64, 64, 3), np.uint8)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
save_galaxy_blocks(
    Path(sys.argv[1]), (block for _ in range(250)), shape=(30_000, 64, 64, 3),
    columns=lambda: {"ids": np.arange(25_000)},
)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITE, str(tmp_path / "g.npz")]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (tmp_path / "g.npz").stat().st_size > 25_000 * 64 * 64 * 3
    assert int(told.stdout) < 50_000  # KiB; the file has 300,000


@pytest.mark.slow
def test_a_file_above_4_gib_is_whole(tmp_path: Path) -> None:
    if shutil.disk_usage(tmp_path).free < 10 << 30:
        pytest.skip("the disk has no room for a file above 4 GiB")
    rows, side = 9000, 424
    block = np.zeros((100, side, side, 3), np.uint8)

    def blocks() -> Any:
        for start in range(0, rows, 100):
            block[:, 0, 0, 0] = start // 100
            yield block

    arrays: dict[str, NDArray[Any]] = {
        "target": np.zeros((rows, 37), np.float32),
        "ids": np.arange(rows),
    }
    save_galaxy_blocks(
        tmp_path / "g.npz", blocks(), shape=(rows + 7, side, side, 3), columns=lambda: arrays
    )
    try:
        fingerprint(tmp_path / "g.npz")  # raises if a checksum is wrong
        galaxies = open_galaxies(tmp_path / "g.npz")
    finally:
        (tmp_path / "g.npz").unlink()  # the mapped pixels stay readable
    assert galaxies.images.shape == (rows, side, side, 3)
    assert galaxies.images[::100, 0, 0, 0].tolist() == list(range(rows // 100))


def test_a_file_that_the_system_forbids_is_an_error_of_the_disk(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(OSError) as error:
            save_galaxies(tmp_path / "g.npz", {"images": IMAGES})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert error.value.errno in DISK_REFUSES
    assert not list(tmp_path.iterdir())
