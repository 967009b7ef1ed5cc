"""Galaxy files: mapped, never copied, and every bad one named in one line."""

import io
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from search_spaces.declaration import InvalidInput
from trainables.galaxies.galaxy_file import (
    Galaxies,
    fingerprint,
    open_galaxies,
    save_galaxies,
)
from trainables.galaxies.npz_file import cache_folder

NUM = 12
DROP = object()


def arrays(**changes: Any) -> dict[str, Any]:
    chance = np.random.default_rng(0)
    values: dict[str, Any] = {
        "images": chance.integers(0, 256, (NUM, 16, 16, 3), dtype=np.uint8),
        "target": chance.random((NUM, 37), dtype=np.float32),
        "ids": np.arange(100, 100 + NUM),
        "unbiased": np.arange(NUM) % 2 == 0,
    }
    return {k: v for k, v in (values | changes).items() if v is not DROP}


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    save_galaxies(tmp_path / "stored.npz", arrays())
    return tmp_path / "stored.npz"


@pytest.fixture
def compressed(tmp_path: Path) -> Path:
    np.savez_compressed(tmp_path / "compressed.npz", **arrays())
    return tmp_path / "compressed.npz"


def assert_whole(galaxies: Galaxies) -> None:
    assert isinstance(galaxies.images, np.memmap) and not galaxies.images.flags.writeable
    for name, expected in arrays().items():
        np.testing.assert_array_equal(getattr(galaxies, name), expected)
    assert (len(galaxies), galaxies.crop, galaxies.num_votes) == (NUM, 210, None)


def assert_refused(path: Path, told: str) -> None:
    with pytest.raises(InvalidInput, match=told) as error:
        open_galaxies(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def unpacked_files() -> set[Path]:
    return set(cache_folder().glob("*/images.npy"))


def test_stored_images_are_mapped_where_they_stand(stored: Path) -> None:
    before = unpacked_files()
    assert_whole(open_galaxies(stored))
    assert unpacked_files() == before


def test_compressed_images_are_unpacked_once_and_mapped(compressed: Path) -> None:
    before = unpacked_files()
    assert_whole(open_galaxies(compressed))
    (unpacked,) = unpacked_files() - before
    os.utime(unpacked, (1, 1))
    assert_whole(open_galaxies(compressed))
    assert unpacked_files() - before == {unpacked}
    assert unpacked.stat().st_mtime == 1


def test_a_changed_compressed_file_is_unpacked_anew(compressed: Path) -> None:
    open_galaxies(compressed)
    others = 255 - arrays()["images"]
    np.savez_compressed(compressed, **arrays(images=others))
    np.testing.assert_array_equal(open_galaxies(compressed).images, others)


def test_the_cache_lies_where_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GALAXYTUNE_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("GALAXYTUNE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "galaxytune"


def test_without_ids_the_row_number_is_the_id(tmp_path: Path) -> None:
    np.savez(tmp_path / "g.npz", **arrays(ids=DROP, unbiased=DROP))
    galaxies = open_galaxies(tmp_path / "g.npz")
    assert galaxies.ids.tolist() == list(range(NUM))
    assert galaxies.unbiased is None


def test_votes_and_crop_are_kept(tmp_path: Path) -> None:
    votes = np.full(NUM, 40, dtype=np.int16)
    save_galaxies(tmp_path / "deep" / "g.npz", arrays(num_votes=votes, crop=np.array(256)))
    galaxies = open_galaxies(tmp_path / "deep" / "g.npz")
    assert galaxies.num_votes is not None and galaxies.num_votes.tolist() == [40] * NUM
    assert (galaxies.crop, galaxies.crop_is_recorded) == (256, True)


def test_a_crop_that_is_not_recorded_is_told_from_one_that_is(stored: Path, tmp_path) -> None:
    save_galaxies(tmp_path / "g.npz", arrays(crop=np.array(210)))
    found = [open_galaxies(path) for path in (stored, tmp_path / "g.npz")]
    assert [g.crop for g in found] == [210, 210]
    assert [g.crop_is_recorded for g in found] == [False, True]


def test_saving_leaves_one_file_readable_by_all(stored: Path) -> None:
    assert list(stored.parent.iterdir()) == [stored]
    assert stored.stat().st_mode & 0o777 == 0o644


def test_a_failed_save_leaves_the_old_file_alone(stored: Path) -> None:
    before = stored.read_bytes()
    with pytest.raises(TypeError):
        save_galaxies(stored, {"file": np.zeros(3)})  # numpy keeps this name for itself
    assert list(stored.parent.iterdir()) == [stored]
    assert stored.read_bytes() == before


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert_refused(tmp_path / "none.npz", "no galaxy file")
    assert_refused(tmp_path, "no galaxy file")


def test_a_file_that_is_no_zip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "galaxies.npz"
    for content in (b"", b"these are no galaxies" * 50):
        path.write_bytes(content)
        assert_refused(path, "not a whole npz file.*galaxytune data build")


@pytest.mark.parametrize("name", ["stored", "compressed"])
@pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 0.9, 0.99, 0.9999])
def test_a_truncated_file_is_refused(
    name: str, share: float, request: pytest.FixtureRequest
) -> None:
    path: Path = request.getfixturevalue(name)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    assert_refused(path, "not a whole npz file")
    with pytest.raises(InvalidInput, match="not a whole npz file"):
        fingerprint(path)


TARGET = arrays()["target"]


def with_one(value: float) -> NDArray[np.float32]:
    target = TARGET.copy()
    target[7, 20] = value
    return target


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"images": DROP}, "no array 'images'; it holds ids, target, unbiased"),
        ({"target": DROP}, "no array 'target'; it holds ids, images, unbiased"),
        ({"images": np.zeros((NUM, 16, 16, 3))}, r"must be uint8 .*got float64 \[12, 16, 16, 3\]"),
        ({"images": np.zeros((NUM, 16, 16), np.uint8)}, r"S, S, 3\], got uint8 \[12, 16, 16\]"),
        ({"images": np.zeros((NUM, 3, 16, 16), np.uint8)}, r"S, S, 3\], got uint8 \[12, 3, 16"),
        ({"images": np.zeros((NUM, 16, 15, 3), np.uint8)}, "must be square"),
        ({"images": np.array([None] * NUM)}, "got object|Python objects"),
        ({"target": np.zeros((NUM, 36))}, r"float \[N, 37\], got float64 \[12, 36\]"),
        ({"target": np.zeros((NUM, 37), int)}, r"float \[N, 37\], got int64"),
        ({"target": np.array([None] * NUM)}, "damaged: Object arrays cannot be loaded"),
        ({"target": with_one(np.nan)}, "NaN or infinite in 1 rows, first 7"),
        ({"target": with_one(np.inf)}, "NaN or infinite in 1 rows, first 7"),
        ({"target": with_one(1.5)}, r"must lie in 0\.\.1, got .*\.\.1\.5"),
        ({"target": with_one(-0.25)}, r"must lie in 0\.\.1, got -0\.25"),
        ({"target": TARGET[:-1]}, "12 images but 11 targets"),
        ({"ids": np.arange(NUM - 1)}, r"ids has shape \(11,\), not \(12,\)"),
        ({"unbiased": np.ones((NUM, 1), bool)}, r"unbiased has shape \(12, 1\)"),
        ({"num_votes": np.ones(3, int)}, r"num_votes has shape \(3,\)"),
        ({"ids": np.array([5, 5, *range(10)])}, "ids holds 5 twice, in the rows 0 and 1"),
        (
            {"ids": np.arange(NUM, dtype=np.uint64) + 2**63},
            "ids holds 9223372036854775819, which is larger",
        ),
        ({"target": DROP}, "holds no votes .* only `galaxytune predict` takes"),
        ({"images": np.zeros((0, 16, 16, 3), np.uint8)}, "holds no image"),
        ({"crop": np.array(0)}, "crop must be one whole number of at least 1"),
    ],
)
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_bad_array_is_refused(changes: dict, told: str, save: Any, tmp_path: Path) -> None:
    path = tmp_path / "bad.npz"
    save(path, **arrays(**changes))
    assert_refused(path, told)


def test_a_member_that_is_no_array_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("images.npy", "not an array")
        archive.writestr("target.npy", "nor this")
    assert_refused(path, "is damaged")


def test_images_shorter_than_their_header_says_are_refused(tmp_path: Path) -> None:
    path, whole = tmp_path / "short.npz", io.BytesIO()
    np.save(whole, np.zeros((10_000, 16, 16, 3), np.uint8))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("images.npy", whole.getvalue()[:5000])
        archive.writestr("target.npy", b"")
    assert_refused(path, "is damaged")


@pytest.mark.parametrize("name", ["stored", "compressed"])
def test_a_flipped_byte_in_the_images_is_found(name: str, request: pytest.FixtureRequest) -> None:
    path: Path = request.getfixturevalue(name)
    content = bytearray(path.read_bytes())
    content[3000] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(InvalidInput, match="is damaged") as error:
        fingerprint(path)
    assert str(path) in str(error.value)


def test_fingerprint_is_that_of_the_arrays_not_of_the_file(
    stored: Path, compressed: Path, tmp_path: Path
) -> None:
    assert fingerprint(stored) == fingerprint(compressed)
    assert len(fingerprint(stored)) == len("sha256:") + 64
    for name in ("images", "target", "ids"):
        np.savez(tmp_path / "other.npz", **arrays(**{name: arrays()[name][::-1]}))
        assert fingerprint(tmp_path / "other.npz") != fingerprint(stored)


@pytest.mark.slow
def test_the_real_galaxies_are_mapped_or_unpacked_whole(real_npz: Path) -> None:
    galaxies = open_galaxies(real_npz)
    assert (len(galaxies), galaxies.images.shape) == (9475, (9475, 64, 64, 3))
    assert isinstance(galaxies.images, np.memmap)
    assert galaxies.unbiased is not None and galaxies.unbiased.sum() == 2666


def test_columns_of_the_wrong_kind_are_named(tmp_path: Path) -> None:
    images, target = np.zeros((2, 64, 64, 3), np.uint8), np.zeros((2, 37), np.float32)
    wrong: dict[str, dict[str, Any]] = {
        "ids must be whole numbers": {"ids": np.array([0.1, 0.2])},
        "unbiased must be true or false": {"unbiased": np.array(["no", "yes"])},
        "crop must be one whole number": {"crop": np.array([210, 64])},
    }
    for message, column in wrong.items():
        np.savez(tmp_path / "g.npz", images=images, target=target, **column)
        with pytest.raises(InvalidInput, match=f"g.npz: {message}"):
            open_galaxies(tmp_path / "g.npz")


@pytest.mark.slow
def test_no_flipped_byte_brings_a_traceback(toy_npz: Path, tmp_path: Path) -> None:
    whole = toy_npz.read_bytes()
    generator = np.random.default_rng(0)
    ends = np.r_[np.arange(0, 200), np.arange(len(whole) - 600, len(whole))]
    for position in generator.choice(ends, 120, replace=False):
        broken = bytearray(whole)
        broken[position] ^= 0x55
        (tmp_path / "g.npz").write_bytes(broken)
        for read in (open_galaxies, fingerprint):
            try:
                read(tmp_path / "g.npz")
            except InvalidInput as error:
                assert "\n" not in str(error)
