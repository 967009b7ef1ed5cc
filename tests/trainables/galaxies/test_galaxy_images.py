"""The images of a galaxy file without votes: ids exactly as they are stored, or refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from search_spaces.declaration import InvalidInput
from trainables.galaxies.galaxy_images import open_images

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), dtype=np.uint8)
SDSS = 587722981736120347  # above 2**53, so float64 does not keep the id


def saved(folder: Path, save: Any = np.savez, **arrays: Any) -> Path:
    save(folder / "g.npz", **{"images": IMAGES, **arrays})
    return folder / "g.npz"


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_images_without_votes_are_mapped(save: Any, tmp_path: Path) -> None:
    found = open_images(saved(tmp_path, save, crop=np.array(212)))
    assert isinstance(found.images, np.memmap)
    np.testing.assert_array_equal(found.images, IMAGES)
    assert (found.ids, found.crop, len(found)) == (("0", "1", "2"), 212, 3)


def test_a_crop_that_is_not_recorded_is_none(tmp_path: Path) -> None:
    assert open_images(saved(tmp_path)).crop is None


@pytest.mark.parametrize(
    ("ids", "texts"),
    [
        ([SDSS, SDSS + 1, -5], (str(SDSS), str(SDSS + 1), "-5")),
        (np.array([1, 2, 2**64 - 1], np.uint64), ("1", "2", str(2**64 - 1))),
        (["007", "J1234+05", " 7"], ("007", "J1234+05", " 7")),
        ([b"007", "Ä".encode(), b"x"], ("007", "Ä", "x")),
    ],
)
def test_ids_are_the_texts_that_are_stored(ids: Any, texts: Any, tmp_path: Path) -> None:
    assert open_images(saved(tmp_path, ids=np.array(ids))).ids == texts


@pytest.mark.parametrize(
    ("ids", "told"),
    [
        (np.array([1, 2, 2]), "ids holds '2' 2 times"),
        (np.array(["a", "b", "a"]), "ids holds 'a' 2 times"),
        (np.array([1.0, 2.0, 3.0]), "whole numbers or texts, got float64"),
        (np.array([1, 2, 3], object), r"Python objects; save the ids as text"),
        (np.array([True, False, True]), "whole numbers or texts, got bool"),
        (np.array(["a", "", "c"]), "row 1 .* has no id"),
        (np.array([b"a", b"\xff", b"c"]), "no UTF-8"),
        (np.arange(2), r"ids has shape \(2,\), not \(3,\)"),
        (np.arange(6).reshape(3, 2), r"ids has shape \(3, 2\), not \(3,\)"),
    ],
)
def test_other_ids_are_refused_in_one_line(ids: Any, told: str, tmp_path: Path) -> None:
    path = saved(tmp_path, ids=ids)
    with pytest.raises(InvalidInput, match=told) as error:
        open_images(path)
    assert str(error.value).startswith(str(path)) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("images", "told"),
    [
        (IMAGES.astype(float), "must be uint8"),
        (IMAGES[:0], "holds no image"),
        (IMAGES[:, :7], "must be square"),
        (np.asfortranarray(IMAGES), "Fortran order"),
    ],
)
def test_images_of_another_form_are_refused(images: Any, told: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=told):
        open_images(saved(tmp_path, images=images))


def test_a_file_without_images_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "g.npz", ids=np.arange(3))
    with pytest.raises(InvalidInput, match="no array 'images'; it holds ids"):
        open_images(tmp_path / "g.npz")
    with pytest.raises(InvalidInput, match="no galaxy file"):
        open_images(tmp_path / "none.npz")
