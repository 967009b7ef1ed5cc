"""Ensembles predict the weighted mean of what their members predict alone."""

import numpy as np
import pytest
import torch

from tests.support.networks import noise, untrained
from trainables.training.ensemble_network import EnsembleNetwork
from trainables.training.prediction import predict
from trainables.training.views import NumViews

CPU = torch.device("cpu")
MEMBERS = [
    untrained("simple_cnn", width=0.1),  # images of 64 pixels
    untrained("residual_cnn", width=0.1, depth=1, input_side=32),
    untrained("residual_cnn", width=0.1, depth=1, input_side=96),
    untrained("simple_cnn", width=0.1, field_fraction=0.5),  # same side as the first
]


@pytest.mark.parametrize("side", [64, 80])
@pytest.mark.parametrize("num_views", [1, 8])
def test_each_member_sees_what_it_would_see_alone(side: int, num_views: NumViews) -> None:
    pixels = noise(3, side)
    ensemble = EnsembleNetwork(MEMBERS, [3, 1, 1, 5], side)
    assert ensemble.weights == (0.3, 0.1, 0.1, 0.5)
    alone = [predict(m, pixels, CPU, num_views=num_views) for m in MEMBERS]
    assert np.abs(alone[0] - alone[1]).max() > 1e-3
    found = predict(ensemble, pixels, CPU, num_views=num_views)
    expected = 0.3 * alone[0] + 0.1 * alone[1] + 0.1 * alone[2] + 0.5 * alone[3]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("weights", [[], [1], [1, 0, 1, 1], [1, -1, 1, 1]])
def test_weights_that_are_no_weights_are_refused(weights: list[float]) -> None:
    with pytest.raises(ValueError, match="4 networks need as many weights above 0"):
        EnsembleNetwork(MEMBERS, weights, 64)
