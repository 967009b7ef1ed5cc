"""The cache: where it lies, and that a cache that refuses is not told as damage of a file."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from search_spaces.declaration import InvalidInput
from tests.support.damaged_files import galaxy_arrays
from trainables.galaxies.cache import cache_folder
from trainables.galaxies.galaxy_file import open_galaxies


@pytest.fixture
def compressed(tmp_path: Path) -> Path:
    """A galaxy file whose images are compressed and fill 24 MB when they are unpacked."""
    path = tmp_path / "packed.npz"
    images = np.zeros((512, 128, 128, 3), np.uint8)
    target = np.resize(galaxy_arrays()["target"], (512, 37))
    np.savez_compressed(path, images=images, target=target)
    return path


def test_the_cache_lies_where_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GALAXYTUNE_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GALAXYTUNE_CACHE", "~/mine")
    assert cache_folder() == tmp_path / "mine"
    monkeypatch.delenv("GALAXYTUNE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "galaxytune"


def under_a_file(tmp_path: Path) -> Path:
    (tmp_path / "file").touch()
    return tmp_path / "file" / "cache"


def a_file(tmp_path: Path) -> Path:
    (tmp_path / "file").touch()
    return tmp_path / "file"


def of_the_kernel(tmp_path: Path) -> Path:
    return Path("/proc/nowhere")


@pytest.mark.parametrize("place", [under_a_file, a_file, of_the_kernel])
def test_a_cache_that_cannot_be_made_is_named(
    place: Callable[[Path], Path],
    compressed: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cache = place(tmp_path)
    monkeypatch.setenv("GALAXYTUNE_CACHE", str(cache))
    told = f"the cache {re.escape(str(cache))} cannot be written .*; set GALAXYTUNE_CACHE"
    with pytest.raises(InvalidInput, match=told) as error:
        open_galaxies(compressed)
    assert "damaged" not in str(error.value) and "\n" not in str(error.value)


def test_a_cache_on_a_full_disk_is_named_and_left_empty(
    compressed: Path, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GALAXYTUNE_CACHE", str(small_disk))
    with pytest.raises(InvalidInput, match="cannot be written .No space left on device.; set GAL"):
        open_galaxies(compressed)
    assert {path.name for path in small_disk.rglob("*") if path.is_file()} <= {"lock"}


def test_a_damaged_file_is_not_told_as_a_cache_that_refuses(compressed: Path) -> None:
    content = bytearray(compressed.read_bytes())
    content[80:90] = bytes(10)
    compressed.write_bytes(content)
    with pytest.raises(InvalidInput, match="packed.npz is damaged"):
        open_galaxies(compressed)


def test_a_wrong_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOBODY_SET_IT", raising=False)
    monkeypatch.setenv("GALAXYTUNE_CACHE", "$NOBODY_SET_IT/x")
    told = "^GALAXYTUNE_CACHE is wrong: .*: the environment variable NOBODY_SET_IT is not set; set"
    with pytest.raises(InvalidInput, match=told):
        cache_folder()
