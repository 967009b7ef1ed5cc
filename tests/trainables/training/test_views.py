"""The eight symmetries of the square: each once, exact, and averaged in predictions."""

import numpy as np
import torch

from search_spaces.declaration.known_architectures import config_from_values
from trainables.architectures import build_network
from trainables.training.prediction import predict, predict_by_one_and_eight
from trainables.training.views import views


def test_the_eight_views_are_all_symmetries_of_a_square_each_once() -> None:
    image = torch.arange(9.0).view(1, 1, 3, 3)
    found = {tuple(view.flatten().tolist()) for view in views(image, 8)}
    grid = np.arange(9.0).reshape(3, 3)
    expected = {
        tuple(np.rot90(mirrored, turns).ravel())
        for turns in range(4)
        for mirrored in (grid, grid.T)
    }
    assert found == expected and len(expected) == 8
    assert [view is image for view in views(image, 1)] == [True]


def test_a_prediction_of_eight_views_does_not_change_when_the_image_is_turned() -> None:
    torch.manual_seed(0)
    network = build_network(config_from_values({"architecture": "simple_cnn", "width": 0.1}))
    pixels = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), np.uint8)
    turned = np.ascontiguousarray(np.rot90(pixels, axes=(1, 2))[:, :, ::-1])
    device = torch.device("cpu")
    once, other = (predict(network, p, device, num_views=8) for p in (pixels, turned))
    np.testing.assert_allclose(once, other, atol=1e-6)
    alone = [predict(network, p, device) for p in (pixels, turned)]
    assert abs(alone[0] - alone[1]).max() > 1e-4
    by_hand = np.mean(
        [
            predict(network, np.ascontiguousarray(np.rot90(side, turns, axes=(1, 2))), device)
            for turns in range(4)
            for side in (pixels, pixels[:, :, ::-1])
        ],
        axis=0,
    )
    np.testing.assert_allclose(once, by_hand, atol=1e-6)


def test_one_and_eight_views_are_predicted_together_as_alone() -> None:
    torch.manual_seed(0)
    network = build_network(config_from_values({"architecture": "simple_cnn", "width": 0.1}))
    pixels = np.random.default_rng(0).integers(0, 256, (40, 64, 64, 3), np.uint8)
    device, rows = torch.device("cpu"), np.arange(1, 39)
    one, eight = predict_by_one_and_eight(network, pixels, device, rows)
    np.testing.assert_array_equal(one, predict(network, pixels, device, rows))
    np.testing.assert_array_equal(eight, predict(network, pixels, device, rows, num_views=8))
