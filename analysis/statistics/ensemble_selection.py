"""The choice of an ensemble's members by forward selection with replacement.

Caruana, Niculescu-Mizil, Crew & Ksikes 2004, "Ensemble selection from libraries of models", ICML,
sections 2 and 2.1: the network that lowers the error of the mean most is added again and again,
and a network that is added twice counts twice.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

MOST_PICKS = 50
_LEAST_FALL = 1e-9  # relative; a smaller fall of the error may be rounding


def select_ensemble(
    predictions: Sequence[NDArray[np.floating]],
    voted: NDArray[np.floating],
    num_picks: int | None = None,
) -> NDArray[np.int64]:
    """Return how often each of T networks is picked for an ensemble, [T] with values from 0.

    predictions: predicted fractions [V, A] of each of the T >= 1 networks. voted: vote fractions
    [V, A] of V >= 1 galaxies. num_picks: the number of picks, at least 1; None for the number of
    at most 50 picks that gives the lowest RMSE, of equal numbers the smallest. A network's weight
    in the ensemble is its number of picks divided by all picks.

    The first pick is the network with the lowest RMSE. Each further pick is the network with which
    the mean of all picks has the lowest RMSE; of equal networks the first is picked.
    """
    products = _error_products(predictions, voted)
    counts = np.zeros(len(products), np.int64)
    best, least = counts, np.inf
    for number in range(1, (num_picks or MOST_PICKS) + 1):
        # the squared error of the mean if network t is added, without the division by number**2
        sums = products @ counts
        squared = counts @ sums + 2 * sums + products.diagonal()
        counts = counts.copy()
        counts[squared.argmin()] += 1
        error = squared.min() / number**2
        if num_picks is None and error < least * (1 - _LEAST_FALL):
            best, least = counts, error
    return best if num_picks is None else counts


def _error_products(
    predictions: Sequence[NDArray[np.floating]], voted: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Return the mean product [T, T] of the errors of each two networks.

    The mean is over all V x A values. With weights w that add up to 1, the mean squared error of
    the weighted mean is w @ products @ w. The diagonal holds the networks' own squared errors.
    """
    errors = np.stack([(p - voted).astype(np.float64).ravel() for p in predictions])
    products: NDArray[np.float64] = errors @ errors.T / errors.shape[1]
    return products
