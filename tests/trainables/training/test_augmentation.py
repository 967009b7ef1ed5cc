"""Augmentation: nothing where nothing is asked, and never further than it may go."""

import math

import pytest
import torch
from torch import Tensor

from search_spaces.declaration.known_architectures import config_from_values
from trainables.training.augmentation import Augmentation

NOTHING = {
    "rotation_degrees": 0.0,
    "flips": False,
    "shift_fraction": 0.0,
    "zoom_fraction": 0.0,
    "shear_degrees": 0.0,
}
STILL = torch.eye(2, 3)


def augmentation(**values: float | bool) -> Augmentation:
    return Augmentation(**(NOTHING | values))  # type: ignore[arg-type]


def chance(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def drawn(**values: float | bool) -> Tensor:
    """Two thousand matrices [2000, 2, 3]."""
    return augmentation(**values).matrices(2000, chance())


EVERYTHING = augmentation(
    rotation_degrees=180, flips=True, shift_fraction=0.1, zoom_fraction=0.2, shear_degrees=10
)


def test_no_augmentation_returns_the_images_as_they_are() -> None:
    images = torch.rand(4, 3, 16, 16)
    assert augmentation().does_nothing
    assert augmentation()(images, chance()) is images


def test_identity_matrices_return_the_images() -> None:
    images = torch.rand(4, 3, 16, 16)
    barely = augmentation(shift_fraction=1e-9)
    assert torch.allclose(barely(images, chance()), images, atol=1e-5)


def test_the_same_generator_moves_the_same_way() -> None:
    images = torch.rand(4, 3, 16, 16)
    assert torch.equal(EVERYTHING(images, chance(1)), EVERYTHING(images, chance(1)))
    assert not torch.equal(EVERYTHING(images, chance(1)), EVERYTHING(images, chance(2)))


def test_every_galaxy_of_a_batch_is_moved_otherwise() -> None:
    images = torch.rand(1, 3, 16, 16).expand(8, -1, -1, -1)
    moved = EVERYTHING(images, chance()).flatten(1)
    assert torch.cdist(moved, moved)[~torch.eye(8, dtype=torch.bool)].min() > 0.1


def test_a_constant_image_stays_constant() -> None:
    images = torch.full((8, 3, 16, 16), 0.25)
    assert torch.allclose(EVERYTHING(images, chance()), images)


@pytest.mark.parametrize("limit", [25.0, 180.0])
def test_angles_fill_their_range_and_keep_within_it(limit: float) -> None:
    linear = drawn(rotation_degrees=limit)[:, :, :2]
    angles = torch.rad2deg(torch.atan2(linear[:, 1, 0], linear[:, 0, 0]))
    assert limit * 0.99 < angles.abs().max() <= limit + 1e-3
    assert abs(angles.mean()) < 0.1 * limit
    assert torch.allclose(linear @ linear.mT, torch.eye(2).expand_as(linear), atol=1e-5)


def test_an_image_is_rotated_by_the_angle_of_its_matrix() -> None:
    image = torch.zeros(1, 1, 65, 65)
    image[0, 0, 32, 52] = 1.0  # 20 pixels right of the centre
    image = torch.nn.functional.avg_pool2d(image, 5, stride=1, padding=2)
    turn = augmentation(rotation_degrees=180.0)
    (cos, _, _), (sin, _, _) = turn.matrices(1, chance())[0].tolist()
    row, column = divmod(int(turn(image, chance()).argmax()), 65)
    # the matrix leads from the output back to the input, so the bright spot turns by -angle
    assert abs(column - (32 + 20 * cos)) < 2.5
    assert abs(row - (32 - 20 * sin)) < 2.5


def test_half_of_the_galaxies_are_mirrored() -> None:
    linear = drawn(rotation_degrees=180.0, flips=True)[:, :, :2]
    mirrored = torch.linalg.det(linear) < 0
    assert 900 < int(mirrored.sum()) < 1100  # 1000 expected, standard deviation 22
    assert (torch.linalg.det(drawn(rotation_degrees=180.0)[:, :, :2]) > 0).all()


def test_a_flip_mirrors_left_and_right() -> None:
    images = torch.rand(6, 3, 16, 16)
    flipped = augmentation(flips=True)(images, chance())
    for before, after in zip(images, flipped):
        assert torch.allclose(after, before, atol=1e-5) or torch.allclose(
            after, before.flip(-1), atol=1e-5
        )
    assert not torch.allclose(flipped, images, atol=1e-2)


def test_shifts_reach_a_twentieth_of_the_side_and_no_further() -> None:
    matrices = drawn(shift_fraction=0.05)
    assert torch.equal(matrices[:, :, :2], torch.eye(2).expand(2000, 2, 2))
    shifts = matrices[:, :, 2] / 2  # coordinates run from -1 to 1, over two sides' halves
    furthest = shifts.abs().amax(dim=0)  # along x and y
    assert 0.0495 < furthest.min() and furthest.max() <= 0.05
    assert not torch.allclose(shifts[:, 0], shifts[:, 1])


def test_each_axis_zooms_by_itself_within_the_limit() -> None:
    zooms = drawn(zoom_fraction=0.1)[:, :, :2].diagonal(dim1=1, dim2=2)
    assert 0.9 <= zooms.min() < 0.901 and 1.099 < zooms.max() <= 1.1
    assert abs(torch.corrcoef(zooms.T)[0, 1]) < 0.1


def test_shear_tilts_within_the_limit() -> None:
    linear = drawn(shear_degrees=10.0)[:, :, :2]
    tilts = torch.rad2deg(torch.atan2(-linear[:, 0, 1], linear[:, 1, 1]))
    assert 9.9 < tilts.abs().max() <= 10.0 + 1e-4
    assert torch.equal(linear[:, :, 0], torch.tensor([[1.0, 0.0]]).expand(2000, 2))


def test_strength_0_leaves_rotation_and_flips_alone() -> None:
    values = {"augmentation_strength": 0.0, "shear_degrees": 5.0, "flips": True}
    config = config_from_values({"architecture": "parallel_cnn", **values})
    assert Augmentation.of(config) == augmentation(rotation_degrees=25.0, flips=True)


def test_strength_2_doubles_shift_zoom_and_shear() -> None:
    values = {"augmentation_strength": 2.0, "shear_degrees": 5.0}
    config = config_from_values({"architecture": "parallel_cnn", **values})
    doubled = augmentation(
        rotation_degrees=25.0, shift_fraction=0.1, zoom_fraction=0.2, shear_degrees=10.0
    )
    assert Augmentation.of(config) == doubled


def test_no_strength_turns_a_galaxy_inside_out() -> None:
    values = {"augmentation_strength": 3.0, "zoom_fraction": 0.9, "shear_degrees": 80.0}
    config = config_from_values({"architecture": "parallel_cnn", **values})
    linear = Augmentation.of(config).matrices(2000, chance())[:, :, :2]
    assert torch.linalg.det(linear).min() > 0.1**2 * math.cos(math.radians(80)) * 0.99


def test_a_zoom_of_both_axes_alike_keeps_shapes() -> None:
    matrices = augmentation(zoom_fraction=0.3, zooms_alike=True).matrices(50, chance())
    torch.testing.assert_close(matrices[:, 0, 0], matrices[:, 1, 1])
    assert float(matrices[:, 0, 0].std()) > 0.1
    each = augmentation(zoom_fraction=0.3).matrices(50, chance())
    assert not torch.allclose(each[:, 0, 0], each[:, 1, 1])


def test_brightness_multiplies_all_pixels_of_an_image() -> None:
    images = torch.full((20, 3, 8, 8), 0.8)
    bright = augmentation(brightness=0.5)(images, chance())
    factors = bright[:, 0, 0, 0] / 0.8
    torch.testing.assert_close(bright, (0.8 * factors)[:, None, None, None].expand_as(bright))
    assert float(bright.max()) == 1.0 and 0.4 <= float(bright.min()) < 0.6
