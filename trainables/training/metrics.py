"""The reported metrics of predictions: RMSE, RMSE by question, and mean tree residual."""

import numpy as np
from numpy.typing import NDArray

from trainables.decision_tree import QUESTIONS, SLICES, tree_residuals

Votes = NDArray[np.floating]


def rmse(predicted: Votes, voted: Votes) -> float:
    """Return the root mean squared error over all N x 37 values, which is the Kaggle metric.

    predicted, voted: vote fractions of the same shape, [N, 37] or a subset of the columns. The
    result is NaN, with a warning of NumPy, if there is no galaxy.
    """
    return float(np.sqrt(np.mean((predicted - voted).astype(np.float64) ** 2)))


def mean_vector_rmse(voted: Votes) -> float:
    """Return the RMSE of a prediction that is the mean of `voted` for every galaxy.

    voted: vote fractions [N, 37]. A predictor that gives every galaxy the same fractions cannot
    have a lower RMSE for these galaxies.
    """
    return rmse(np.broadcast_to(voted.mean(axis=0, keepdims=True), voted.shape), voted)


def question_rmse(predicted: Votes, voted: Votes) -> dict[str, float]:
    """Return the RMSE over the answers of each question, by the names `rmse_q1` to `rmse_q11`.

    predicted, voted: vote fractions [N, 37].
    """
    return {
        f"rmse_q{question.number}": rmse(predicted[:, answers], voted[:, answers])
        for question, answers in zip(QUESTIONS, SLICES)
    }


def mean_tree_residual(predicted: Votes) -> float:
    """Return the mean over galaxies and questions of |answers' sum - parents' sum|.

    predicted: vote fractions [N, 37]. The parents are those of the true tree; the parents' sum is
    1 for a question without parents. ValueError is raised if the shape is another.
    """
    return float(np.abs(tree_residuals(predicted)).mean())


def evaluate(predicted: Votes, voted: Votes) -> dict[str, float]:
    """Return all metrics of predictions [N, 37] against vote fractions [N, 37], by name.

    The names are `rmse`, `tree_residual` (see `mean_tree_residual`), and `rmse_q1` to `rmse_q11`.
    """
    return {
        "rmse": rmse(predicted, voted),
        "tree_residual": mean_tree_residual(predicted),
        **question_rmse(predicted, voted),
    }
