"""The RMSE that votes of finitely many volunteers allow at best."""

import numpy as np
from numpy.typing import NDArray

ASSUMED_VOTES = 44  # Galaxy Zoo 2's usual number a galaxy (Willett et al. 2013), Kaggle has none


def noise_floor(
    target: NDArray[np.floating], num_votes: NDArray[np.integer] | None = None
) -> float:
    """RMSE of the true probabilities against vote fractions [N, 37], from the fractions alone.

    Each fraction is taken as the mean of independent votes: its variance is y(1-y)/(votes-1),
    unbiased for p(1-p)/votes. Correlated or down-weighted voters raise the real floor.
    """
    votes = np.full(len(target), ASSUMED_VOTES) if num_votes is None else num_votes
    fractions = target.astype(np.float64)
    variance = fractions * (1 - fractions) / (np.maximum(votes, 2) - 1)[:, None]
    return float(np.sqrt(variance.mean()))
