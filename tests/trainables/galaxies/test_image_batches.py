"""From pixels to a network's input: scaled to 0..1, reduced before and enlarged after."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from search_spaces.declaration import config_from_values
from trainables.device.micro_batch import even_slices
from trainables.galaxies.galaxy_file import Galaxies
from trainables.galaxies.image_batches import enlarged, moved, to_images
from trainables.training.augmentation import Augmentation

CPU = torch.device("cpu")


def test_pixels_become_images_between_0_and_1() -> None:
    pixels = np.zeros((1, 64, 64, 3), np.uint8)
    pixels[0, 10, 20] = 255, 51, 0
    images = to_images(pixels, CPU, 64)
    assert (images.shape, images.dtype) == ((1, 3, 64, 64), torch.float32)
    assert images[0, :, 10, 20].tolist() == pytest.approx([1.0, 0.2, 0.0])


def test_larger_pixels_are_reduced_and_smaller_ones_left() -> None:
    assert to_images(np.full((2, 128, 128, 3), 51, np.uint8), CPU, 64).shape == (2, 3, 64, 64)
    assert to_images(np.full((2, 64, 64, 3), 51, np.uint8), CPU, 224).shape == (2, 3, 64, 64)


def test_smaller_images_are_enlarged_to_the_networks_side() -> None:
    ramp = torch.tensor([0.0, 1.0]).expand(1, 3, 2, 2)
    wide = enlarged(ramp, 4)
    assert wide.shape == (1, 3, 4, 4)
    assert wide[0, 0, 0].tolist() == [
        0.0,
        0.25,
        0.75,
        1.0,
    ]  # pixel centres at -.25, .25, .75, 1.25
    assert torch.equal(enlarged(ramp, 2), ramp)


def test_images_are_moved_as_pytorchs_own_grid_would_move_them() -> None:
    torch.manual_seed(0)
    images, matrices = torch.rand(5, 3, 12, 12), torch.randn(5, 2, 3)
    grid = F.affine_grid(matrices, [5, 3, 12, 12], align_corners=False)
    expected = F.grid_sample(images, grid, padding_mode="border", align_corners=False)
    torch.testing.assert_close(moved(images, matrices), expected, rtol=1e-4, atol=1e-5)


def test_parts_are_moved_as_the_whole_batch_is(toys: Galaxies) -> None:
    images = torch.from_numpy(toys.images[:6].copy()).permute(0, 3, 1, 2).float() / 255
    augmentation = Augmentation.of(config_from_values({"architecture": "simple_cnn"}))
    whole = augmentation(images, torch.Generator().manual_seed(3))
    matrices = augmentation.matrices(6, torch.Generator().manual_seed(3))
    assert torch.equal(moved(images, matrices), whole)
    parts = [moved(images[s], matrices[s]) for s in even_slices(6, 4)]
    torch.testing.assert_close(torch.cat(parts), whole)
