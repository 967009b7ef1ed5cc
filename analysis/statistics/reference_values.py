"""Values that an RMSE is compared with: the noise floor of the votes, and published results."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Number of volunteers per galaxy in Galaxy Zoo 2 (Willett et al. 2013), because Kaggle's file does
# not give the number for each galaxy.
ASSUMED_VOTES = 44


def noise_floor(
    target: NDArray[np.floating], num_votes: NDArray[np.integer] | None = None
) -> float:
    """Return the RMSE of a perfect predictor, which predicts the true probabilities of votes.

    target: vote fractions [N, A] in 0..1 of N >= 1 galaxies. num_votes: number of volunteers of
    each galaxy, [N]; None for 44 each. A number below 2 counts as 2.

    The floor is estimated from the fractions alone. Each fraction y counts as the mean of
    independent votes. The variance of y is estimated by y(1-y)/(votes-1), which is unbiased for
    p(1-p)/votes. If the votes are correlated or weighted, the true floor is higher.
    """
    votes = np.full(len(target), ASSUMED_VOTES) if num_votes is None else num_votes
    fractions = target.astype(np.float64)
    variance = fractions * (1 - fractions) / (np.maximum(votes, 2) - 1)[:, None]
    return float(np.sqrt(variance.mean()))


@dataclass(frozen=True)
class PublishedResult:
    """A row of table 1 of the student report, with numbers that the notebooks printed.

    rmse: RMSE on 12,316 test images of 61,578, with the report's own split, from one run without a
    fixed seed.
    total_parameters, trainable_parameters: numbers of parameters as Keras counts them.
    epochs: number of epochs until training stopped.
    """

    rmse: float
    total_parameters: int
    trainable_parameters: int
    epochs: int


PUBLISHED = {  # by the architecture's name
    "parallel_cnn": PublishedResult(0.0985, 1_160_165, 1_159_653, 182),
    "vision_transformer": PublishedResult(0.0995, 1_821_477, 1_821_477, 300),
    "vgg16": PublishedResult(0.1153, 27_579_237, 12_864_549, 50),
    "resnet50": PublishedResult(0.1434, 27_859_877, 4_272_165, 50),
}
