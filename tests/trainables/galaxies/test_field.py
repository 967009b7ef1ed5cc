"""The part of a stored image that a network sees: cut exactly, moved with its surroundings."""

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.support.networks import noise, untrained
from trainables.galaxies.image_batches import (
    as_images,
    changed_images,
    enlarged,
    moved,
    network_input,
    reduced,
    seen_part,
    seen_pixels,
    seen_side,
)
from trainables.training import predict

CPU = torch.device("cpu")
STILL = torch.eye(2, 3)[None]


def turn(degrees: float) -> Tensor:
    """One matrix [1, 2, 3] that rotates about the middle."""
    angle = torch.deg2rad(torch.tensor(degrees))
    cos, sin = torch.cos(angle), torch.sin(angle)
    return torch.stack([cos, -sin, torch.zeros(()), sin, cos, torch.zeros(())]).view(1, 2, 3)


@pytest.mark.parametrize(
    ("side", "fraction", "part"),
    [
        (92, 0.7, 64),  # 64.4 pixels
        (64, 1.0, 64),
        (64, 0.999, 64),
        (65, 0.5, 33),  # 32.5 pixels; the part of an odd side is odd
        (64, 0.5, 32),
        (64, 1e-6, 2),
        (65, 1e-6, 1),
    ],
)
def test_a_part_has_whole_pixels_and_the_same_margin_on_each_side(
    side: int, fraction: float, part: int
) -> None:
    assert seen_side(side, fraction) == part
    images = torch.arange(side * side).view(side, side)
    margin = (side - part) // 2
    expected = images[margin : side - margin, margin : side - margin]
    assert expected.shape == (part, part) and torch.equal(seen_part(images, fraction), expected)
    pixels = images.numpy().astype(np.uint8)[..., None].repeat(3, axis=2)
    np.testing.assert_array_equal(
        seen_pixels(pixels, fraction)[..., 0], expected.numpy().astype(np.uint8)
    )


def test_an_unmoved_view_is_the_central_cut() -> None:
    pixels = noise(2, 92)
    network = untrained("simple_cnn", width=0.1, field_fraction=0.7)
    expected = torch.from_numpy(pixels[:, 14:78, 14:78]).permute(0, 3, 1, 2) / 255
    assert torch.equal(network_input(network, pixels, CPU), expected)
    assert torch.equal(changed_images(torch.from_numpy(pixels), 64, fraction=0.7), expected)


def test_a_moved_view_without_a_movement_is_the_central_cut() -> None:
    pixels = torch.from_numpy(noise(1, 92))
    still = changed_images(pixels, 64, fraction=0.7, movement=STILL)
    torch.testing.assert_close(still, as_images(pixels, 64, 0.7), rtol=0, atol=2e-5)


@pytest.mark.parametrize("stored", [80, 184])
def test_a_part_of_another_side_is_brought_to_the_networks(stored: int) -> None:
    """A stored image of 80 pixels has a part of 56 pixels, and one of 184 pixels a part of 128."""
    pixels = noise(1, stored)
    part = seen_side(stored, 0.7)
    cut = torch.from_numpy(seen_pixels(pixels, 0.7).copy()).permute(0, 3, 1, 2) / 255
    network = untrained("simple_cnn", width=0.1, field_fraction=0.7)
    unmoved = network_input(network, pixels, CPU)
    torch.testing.assert_close(unmoved, enlarged(reduced(cut, 64), 64))
    still = changed_images(torch.from_numpy(pixels), 64, fraction=0.7, movement=STILL)
    assert still.shape == (1, 3, 64, 64)
    inner = (..., slice(2, -2), slice(2, -2))  # at its border a moved view knows the surroundings
    torch.testing.assert_close(still[inner], unmoved[inner], rtol=0, atol=2e-5)
    assert part == {80: 56, 184: 128}[stored]


def test_a_rotation_shows_what_lies_around_the_part() -> None:
    ring = np.zeros((1, 92, 92, 3), np.uint8)
    row, column = np.mgrid[:92, :92] - 45.5
    ring[0, np.hypot(row, column) > 34] = 255  # outside the circle through the part's sides
    view = changed_images(torch.from_numpy(ring), 64, fraction=0.7, movement=turn(45))
    expected = torch.from_numpy(np.hypot(*(np.mgrid[:64, :64] - 31.5)) > 34).float()
    assert (view[0, 0] - expected).abs().mean() < 0.03  # a ring is the same when it is rotated
    repeated = moved(as_images(torch.from_numpy(ring), 64, 0.7), turn(45))
    assert (repeated[0, 0] - expected).abs().mean() > 0.03  # its corners are repeated pixels


def test_a_shift_is_a_fraction_of_the_part() -> None:
    pixels = torch.from_numpy(noise(1, 92))
    shifted = STILL.clone()
    shifted[0, 0, 2] = 2 * 8 / 64  # by 8 of the part's 64 pixels
    view = changed_images(pixels, 64, fraction=0.7, movement=shifted)
    expected = pixels[:, 14:78, 22:86].permute(0, 3, 1, 2) / 255
    torch.testing.assert_close(view, expected, rtol=0, atol=2e-5)


def test_the_whole_image_is_changed_as_without_a_fraction() -> None:
    pixels = torch.from_numpy(noise(2, 70))
    movement, brightness = turn(30).expand(2, -1, -1), torch.tensor([0.5, 1.5])
    whole = changed_images(pixels, 64, fraction=1.0, movement=movement, brightness=brightness)
    expected = moved(as_images(pixels, 64), movement) * brightness[:, None, None, None]
    assert torch.equal(whole, expected.clamp_max(1))


def test_eight_views_of_a_part_are_exact() -> None:
    network = untrained("simple_cnn", width=0.1, field_fraction=0.7)
    pixels = noise(2, 92)
    turned = np.ascontiguousarray(np.rot90(pixels, axes=(1, 2))[:, :, ::-1])
    once, other = (predict(network, p, CPU, num_views=8) for p in (pixels, turned))
    np.testing.assert_allclose(once, other, atol=1e-6)
    cut = np.ascontiguousarray(pixels[:, 14:78, 14:78])
    whole = untrained("simple_cnn", width=0.1)
    np.testing.assert_array_equal(once, predict(whole, cut, CPU, num_views=8))
