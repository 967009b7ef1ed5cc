"""Sets of simulated galaxies: images, votes, and the mean of the votes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from search_spaces.declaration import InvalidInput, check_whole_number
from trainables.decision_tree import NUM_ANSWERS
from trainables.simulation.camera import IMAGE_SIZE, IMAGE_SIZES
from trainables.simulation.latents import draw_latents
from trainables.simulation.rendering import render
from trainables.simulation.volunteers import (
    answer_probabilities,
    cast_votes,
    joint_probabilities,
    vote_fractions,
)

MEAN_VOTES, SPREAD_VOTES = 44, 5  # mean and deviation of the volunteers a galaxy in Galaxy Zoo 2
FEWEST_VOTES, MOST_VOTES = 30, 60


@dataclass(frozen=True)
class SimulatedGalaxies:
    """A set of N simulated galaxies, whose 37 answers are in the order of Kaggle's columns.

    images: pixels [N, S, S, 3] uint8; S is 64 unless another side was asked for. target: Kaggle's
    cumulative vote fractions [N, 37] in 0..1. ids: the numbers 1, 2, ..., N. num_votes: number of
    volunteers of each galaxy [N], 30 to 60. counts: number of votes for each answer [N, 37].
    probabilities: the mean [N, 37] of `target`, in 0..1, over many groups of volunteers who vote
    on the same galaxy (see `joint_probabilities`).
    """

    images: NDArray[np.uint8]
    target: NDArray[np.float32]
    ids: NDArray[np.int64]
    num_votes: NDArray[np.int16]
    counts: NDArray[np.int16]
    probabilities: NDArray[np.float32]


def simulate_galaxies(
    num_galaxies: int,
    *,
    seed: int = 0,
    side: int = IMAGE_SIZE,
    on_progress: Callable[[int], None] | None = None,
) -> SimulatedGalaxies:
    """Return simulated galaxies with images and votes; one galaxy takes about 3 ms.

    Galaxy i depends on `seed` and on i alone, not on the number of galaxies. 2 % of the galaxies
    are bright stars or trails of satellites, not galaxies.

    num_galaxies: number of galaxies, at least 1. seed: random seed, at least 0. side: side of the
    images in pixels, 64 or 128; the votes do not depend on the side. on_progress: a function that
    is called with the number of finished galaxies after each galaxy. A smaller num_galaxies or
    seed, or another side, raises InvalidInput.
    """
    _check(num_galaxies, seed)
    if side not in IMAGE_SIZES:
        raise InvalidInput(f"the side must be {' or '.join(map(str, IMAGE_SIZES))}, got {side!r}")
    return _simulated(range(num_galaxies), seed, side, on_progress)


def simulate_blocks(
    num_galaxies: int,
    *,
    seed: int = 0,
    length: int = 2048,
    on_progress: Callable[[int], None] | None = None,
) -> Iterator[SimulatedGalaxies]:
    """Return an iterator over the galaxies of `simulate_galaxies` in blocks of `length`.

    Memory holds one block. The ids go on from block to block. The arguments and the errors are
    those of `simulate_galaxies`, whose default side the images have. The errors are raised before
    the iteration. length: number of galaxies in each block but the last, at least 1.
    """
    _check(num_galaxies, seed)
    starts = range(0, num_galaxies, length)
    parts = (range(start, min(start + length, num_galaxies)) for start in starts)
    return (_simulated(part, seed, IMAGE_SIZE, on_progress) for part in parts)


def _check(num_galaxies: int, seed: int) -> None:
    """Raise InvalidInput unless there is at least one galaxy and the seed is at least 0."""
    check_whole_number("num_galaxies", num_galaxies, at_least=1)
    check_whole_number("seed", seed, at_least=0)


def _simulated(
    numbers: range, seed: int, side: int, on_progress: Callable[[int], None] | None
) -> SimulatedGalaxies:
    """Return the galaxies with these numbers, from 0; the ids are the numbers plus 1.

    side: one of IMAGE_SIZES, in pixels.
    """
    length = len(numbers)
    galaxies = SimulatedGalaxies(
        images=np.zeros((length, side, side, 3), dtype=np.uint8),
        target=np.zeros((length, NUM_ANSWERS), dtype=np.float32),
        ids=np.array(numbers, dtype=np.int64) + 1,
        num_votes=np.zeros(length, dtype=np.int16),
        counts=np.zeros((length, NUM_ANSWERS), dtype=np.int16),
        probabilities=np.zeros((length, NUM_ANSWERS), dtype=np.float32),
    )
    for row, number in enumerate(numbers):
        _simulate_into(galaxies, row, np.random.default_rng([seed, number]))
        if on_progress is not None:
            on_progress(number + 1)
    return galaxies


def _simulate_into(galaxies: SimulatedGalaxies, i: int, rng: np.random.Generator) -> None:
    """Draw one galaxy from `rng` and write it into row i of the arrays of `galaxies`."""
    latents = draw_latents(rng)
    conditional = answer_probabilities(latents)
    num_votes = int(np.clip(rng.normal(MEAN_VOTES, SPREAD_VOTES), FEWEST_VOTES, MOST_VOTES))
    counts = cast_votes(conditional, num_votes, rng)
    galaxies.num_votes[i] = num_votes
    galaxies.counts[i] = counts
    galaxies.target[i] = vote_fractions(counts)
    galaxies.probabilities[i] = joint_probabilities(conditional)
    galaxies.images[i] = render(latents, rng, side=galaxies.images.shape[1])
