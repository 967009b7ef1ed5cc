"""Predictions: those of whole batches, however few galaxies memory holds at once."""

import numpy as np
import pytest
import torch

from tests.support.memory import Room
from tests.support.networks import untrained
from trainables.device.micro_batch import OutOfMemory
from trainables.galaxies.galaxy_file import Galaxies
from trainables.training.prediction import predict, prediction_batch

CPU = torch.device("cpu")


def test_no_room_to_predict_one_galaxy_says_so(toys: Galaxies) -> None:
    network = untrained("simple_cnn", width=0.1)
    Room(network, 0)
    with pytest.raises(OutOfMemory, match="^a prediction batch of 32 images of 64 x 64 pixels"):
        predict(network, toys.images, CPU)


def test_predictions_are_those_of_whole_batches(toys: Galaxies) -> None:
    network = untrained("simple_cnn", width=0.1)
    expected = predict(network, toys.images, CPU)
    batch = prediction_batch(network, CPU)
    room = Room(network, 30)
    found = predict(network, toys.images, CPU, batch=batch)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert batch.size == 16 and room.seen == [32] + 12 * [16] + [8]
