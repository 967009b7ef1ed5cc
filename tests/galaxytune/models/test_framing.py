"""The part of an image that a network sees, and the sentence that tells of it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from galaxytune.models import load_export
from galaxytune.models.export_folder import Export
from galaxytune.models.framing import Framing
from search_spaces.declaration import InvalidInput
from tests.support.networks import noise
from trainables.galaxies import fitted_image


@pytest.fixture(scope="module")
def export(trained: Path) -> Export:
    """A model of images that were cut to 210 pixels and reduced to 64."""
    return load_export(trained)


def fitted(framing: Framing, side: int) -> np.ndarray:
    return framing.fit(Image.fromarray(noise(1, side)[0]))


def resized(pixels: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(pixels).resize((64, 64), Image.Resampling.BICUBIC))


def test_images_are_cut_as_in_training_unless_they_have_its_size(export: Export) -> None:
    framing = Framing(export)
    survey = fitted_image(noise(1, 300)[0], crop=210, side=64)
    np.testing.assert_array_equal(fitted(framing, 300), survey)
    np.testing.assert_array_equal(fitted(framing, 64), noise(1, 64)[0])
    fitted(framing, 64)
    assert framing.sentence() == (
        "1 image was cut to the central 210 x 210 pixels (as in training) and reduced to "
        "64 x 64 pixels; 2 images were used uncut at 64 x 64 pixels"
    )


def test_another_crop_is_kept_of_every_image(export: Export) -> None:
    framing = Framing(export, 50)
    whole = noise(1, 64)[0]
    np.testing.assert_array_equal(fitted(framing, 64), resized(whole[7:57, 7:57]))
    assert framing.sentence() == (
        "1 image was cut to the central 50 x 50 pixels (in training the central 210 x 210 pixels "
        "were kept) and enlarged to 64 x 64 pixels"
    )


def test_no_crop_keeps_the_largest_square(export: Export) -> None:
    framing = Framing(export, "none")
    wide = noise(1, 90)[0][:80]
    np.testing.assert_array_equal(
        framing.fit(Image.fromarray(wide)), resized(np.ascontiguousarray(wide[:, 5:85]))
    )
    assert framing.sentence() == (
        "1 image was kept whole and resized to 64 x 64 pixels (in training the central "
        "210 x 210 pixels were kept)"
    )


@pytest.mark.parametrize(
    ("crop", "side", "told"),
    [
        ("training", 209, "209x209 pixels is smaller than the crop of 210; another crop"),
        ("training", 63, "only an image of 64 x 64 pixels needs no crop"),
        (210, 64, "64x64 pixels is smaller than the crop of 210"),
        (65, 64, "64x64 pixels is smaller than the crop of 65"),
    ],
)
def test_an_image_smaller_than_the_crop_is_refused(
    crop: Any, side: int, told: str, export: Export
) -> None:
    with pytest.raises(InvalidInput) as error:
        fitted(Framing(export, crop), side)
    assert told in str(error.value) and "--crop" in str(error.value)


@pytest.mark.parametrize("crop", [0, -1, 1.5, True, "all", None, ""])
def test_a_crop_that_is_none_is_refused(crop: Any, export: Export) -> None:
    with pytest.raises(InvalidInput, match="the crop must be training, none, or a whole number"):
        Framing(export, crop)


def test_numpys_numbers_are_crops(export: Export) -> None:
    assert fitted(Framing(export, np.int64(50)), 60).shape == (64, 64, 3)  # type: ignore[arg-type]
