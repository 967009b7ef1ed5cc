"""Bootstrap intervals over galaxies."""

import numpy as np
from numpy.typing import NDArray


def rmse_interval(
    predicted: NDArray[np.floating],
    voted: NDArray[np.floating],
    *,
    confidence: float = 0.95,
    num_resamples: int = 2000,
    seed: int = 0,
) -> tuple[float, float]:
    """Percentile bootstrap interval of the RMSE of [N, 37] predictions, galaxies resampled.

    Galaxies, not single values, are drawn: the 37 errors of one galaxy are not independent.
    """
    per_galaxy = np.mean((predicted - voted).astype(np.float64) ** 2, axis=1)
    generator = np.random.default_rng(seed)
    means = [
        generator.choice(per_galaxy, size=len(per_galaxy)).mean() for _ in range(num_resamples)
    ]
    tail = (1 - confidence) / 2
    low, high = np.sqrt(np.quantile(means, [tail, 1 - tail]))
    return float(low), float(high)
