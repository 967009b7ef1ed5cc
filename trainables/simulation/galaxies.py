"""Simulated galaxies by the thousand: images, votes and the probabilities behind the votes."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainables.decision_tree import NUM_ANSWERS
from trainables.simulation.camera import IMAGE_SIZE
from trainables.simulation.latents import draw_latents
from trainables.simulation.rendering import render
from trainables.simulation.volunteers import (
    answer_probabilities,
    cast_votes,
    joint_probabilities,
    vote_fractions,
)

MEAN_VOTES, SPREAD_VOTES = 44, 5  # volunteers a galaxy, as in Galaxy Zoo 2
FEWEST_VOTES, MOST_VOTES = 30, 60


@dataclass(frozen=True)
class SimulatedGalaxies:
    """N galaxies; the columns of all [N, 37] arrays are Kaggle's, in Kaggle's order."""

    images: NDArray[np.uint8]  # [N, 64, 64, 3]
    target: NDArray[np.float32]  # [N, 37] cumulative vote fractions
    ids: NDArray[np.int64]  # [N] 1, 2, ..., N
    num_votes: NDArray[np.int16]  # [N] volunteers asked
    counts: NDArray[np.int16]  # [N, 37] votes
    probabilities: NDArray[np.float32]  # [N, 37] what `target` would be of endless volunteers


def simulate_galaxies(
    num_galaxies: int, *, seed: int = 0, on_progress: Callable[[int], None] | None = None
) -> SimulatedGalaxies:
    """Draw galaxies, paint them and let volunteers vote; about 3 ms a galaxy.

    Galaxy i depends on the seed and on i alone, not on how many are drawn. `on_progress` is
    called after each galaxy with the number done. Raises ValueError if num_galaxies < 1 or
    seed < 0.
    """
    if num_galaxies < 1:
        raise ValueError(f"num_galaxies must be at least 1, got {num_galaxies}")
    if seed < 0:
        raise ValueError(f"seed must be at least 0, got {seed}")
    galaxies = SimulatedGalaxies(
        images=np.zeros((num_galaxies, IMAGE_SIZE, IMAGE_SIZE, 3), dtype=np.uint8),
        target=np.zeros((num_galaxies, NUM_ANSWERS), dtype=np.float32),
        ids=np.arange(1, num_galaxies + 1, dtype=np.int64),
        num_votes=np.zeros(num_galaxies, dtype=np.int16),
        counts=np.zeros((num_galaxies, NUM_ANSWERS), dtype=np.int16),
        probabilities=np.zeros((num_galaxies, NUM_ANSWERS), dtype=np.float32),
    )
    for i in range(num_galaxies):
        _simulate_into(galaxies, i, np.random.default_rng([seed, i]))
        if on_progress is not None:
            on_progress(i + 1)
    return galaxies


def _simulate_into(galaxies: SimulatedGalaxies, i: int, rng: np.random.Generator) -> None:
    latents = draw_latents(rng)
    conditional = answer_probabilities(latents)
    num_votes = int(np.clip(rng.normal(MEAN_VOTES, SPREAD_VOTES), FEWEST_VOTES, MOST_VOTES))
    counts = cast_votes(conditional, num_votes, rng)
    galaxies.num_votes[i] = num_votes
    galaxies.counts[i] = counts
    galaxies.target[i] = vote_fractions(counts)
    galaxies.probabilities[i] = joint_probabilities(conditional)
    galaxies.images[i] = render(latents, rng)
