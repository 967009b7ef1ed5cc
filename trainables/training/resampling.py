"""Training galaxies that are drawn so that their votes resemble those of unbiased galaxies.

The training part of a file may lean towards some kinds of galaxies, such as clear spirals, while
the validation and test parts are unbiased (see `Galaxies.unbiased`). A galaxy's importance is the
ratio of the densities of its votes in the two parts (Shimodaira 2000, covariate shift). A logistic
regression that tells the two parts apart estimates the ratio (Bickel, Brückner and Scheffer 2009).
"""

import numpy as np
import torch
from numpy.typing import NDArray

from search_spaces.declaration import TrainingProtocol
from trainables.galaxies import Galaxies

_LEAST, _MOST = 0.1, 5.0  # bounds of an importance, relative to the mean
_STEPS = 1000  # of the regression, more than it needs


def epoch_importances(
    config: TrainingProtocol,
    galaxies: Galaxies,
    training: NDArray[np.int64],
    resembled: NDArray[np.int64],
) -> NDArray[np.float64] | None:
    """Return how often each training galaxy is drawn in an epoch, [N], or None for once each.

    training, resembled: the rows [N] of the training galaxies, and the rows of the unbiased
    galaxies whose votes the drawn galaxies resemble. The result is None unless the config
    resamples and the file marks some galaxies, but not all, as unbiased: only then can the two
    parts differ.
    """
    if config.resampling == "none" or not galaxies.are_partly_unbiased:
        return None
    return importances(galaxies.target[training], galaxies.target[resembled])


def importances(
    training: NDArray[np.floating], unbiased: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Return how often each training galaxy is to be drawn in an epoch, on average.

    training, unbiased: vote fractions [N, 37] and [V, 37] in 0..1, with N and V at least 1. The
    result is [N], has the mean 1, and lies in 0.1 to 5 before the division by the mean.
    """
    from sklearn.linear_model import LogisticRegression  # takes a second, and most runs need none

    votes = np.concatenate([_features(training), _features(unbiased)])
    is_unbiased = np.repeat([0, 1], [len(training), len(unbiased)])
    regression = LogisticRegression(max_iter=_STEPS).fit(votes, is_unbiased)
    odds = np.exp(regression.decision_function(_features(training)))
    bounded = np.clip(odds / odds.mean(), _LEAST, _MOST)
    return np.asarray(bounded / bounded.mean(), dtype=np.float64)


def _features(votes: NDArray[np.floating]) -> NDArray[np.float64]:
    """Map vote fractions [N, 37] to the features [N, 111] of the regression."""
    exact = votes.astype(np.float64)
    return np.concatenate([exact, np.sqrt(exact), exact**2], axis=1)


def drawn_order(
    num_galaxies: int, importance: NDArray[np.float64] | None, generator: torch.Generator
) -> NDArray[np.int64]:
    """Return the positions [N] of the galaxies of an epoch in random order, N = `num_galaxies`.

    importance: for each galaxy the mean number of times [N] that it is drawn, with the mean 1; a
    galaxy comes as often as this number rounded down or up (systematic resampling). None draws
    each galaxy once. generator: a generator on the CPU.
    """
    if importance is None:
        return torch.randperm(num_galaxies, generator=generator).numpy()
    first = float(torch.rand((), generator=generator))
    ends = np.cumsum(importance) * (num_galaxies / importance.sum())
    places = np.searchsorted(ends, np.arange(num_galaxies) + first, side="right")
    chosen = np.minimum(places, num_galaxies - 1)  # a rounded sum may end below N
    return chosen[torch.randperm(num_galaxies, generator=generator).numpy()]
