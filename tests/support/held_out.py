"""Held-out galaxies with predictions of a known error, without any network."""

import numpy as np

from analysis.records import HeldOut

VOTED = np.random.default_rng(0).random((300, 37)).astype(np.float32)


def held_out(label: str, error: float, *, seed: int = 1, first_id: int = 0) -> HeldOut:
    """Return 300 galaxies whose predictions miss the votes by Gaussian noise.

    error: standard deviation of the noise, and so the expected RMSE. The same seed gives the same
    noise; the ids count up from `first_id`.
    """
    noise = np.random.default_rng(seed).standard_normal(VOTED.shape).astype(np.float32)
    ids, images = np.arange(300) + first_id, np.zeros((300, 8, 8, 3), np.uint8)
    return HeldOut(label, ids, images, VOTED, (VOTED + error * noise).astype(np.float32))
