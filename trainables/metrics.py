"""What is reported of predictions: RMSE, RMSE by question, mean tree residual."""

import numpy as np
from numpy.typing import NDArray

from trainables.decision_tree import QUESTIONS, SLICES, tree_residuals

Votes = NDArray[np.floating]


def rmse(predicted: Votes, voted: Votes) -> float:
    """Root of the mean squared error over all N x 37 values, the Kaggle metric."""
    return float(np.sqrt(np.mean((predicted - voted).astype(np.float64) ** 2)))


def mean_vector_rmse(voted: Votes) -> float:
    """RMSE of predicting these votes' own mean for every galaxy: what knows no image reaches."""
    return rmse(np.broadcast_to(voted.mean(axis=0, keepdims=True), voted.shape), voted)


def question_rmse(predicted: Votes, voted: Votes) -> dict[str, float]:
    """RMSE over the answers of each question: {"rmse_q1": ..., "rmse_q11": ...}."""
    return {
        f"rmse_q{question.number}": rmse(predicted[:, answers], voted[:, answers])
        for question, answers in zip(QUESTIONS, SLICES)
    }


def mean_tree_residual(predicted: Votes) -> float:
    """Mean over galaxies and questions of |answers' sum - parents' sum|, by the true tree."""
    return float(np.abs(tree_residuals(predicted)).mean())


def evaluate(predicted: Votes, voted: Votes) -> dict[str, float]:
    """All metrics of predictions [N, 37] against votes [N, 37]."""
    return {
        "rmse": rmse(predicted, voted),
        "tree_residual": mean_tree_residual(predicted),
        **question_rmse(predicted, voted),
    }
