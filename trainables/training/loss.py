"""The loss: mean squared error plus one weighted term for each question of the decision tree."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from trainables.decision_tree import NUM_QUESTIONS, Tree, residual_terms


class TreeResiduals(nn.Module):
    """A module that maps vote fractions [B, 37] in 0..1 to signed tree residuals [B, 11].

    The residual of a question is the sum of its answers minus the sum of its parents, or minus 1
    if the question has no parents. The residual is positive if the answers sum to too much. The
    module computes votes @ matrix - constant.

    matrix, constant: float32 buffers [37, 11] and [11], made by `residual_terms`.
    """

    matrix: Tensor
    constant: Tensor

    def __init__(self, tree: Tree = "true") -> None:
        """Build the terms; `tree` decides the parents of question 7 (see `parent_columns`)."""
        super().__init__()
        matrix, constant = residual_terms(tree)
        self.register_buffer("matrix", torch.from_numpy(matrix))
        self.register_buffer("constant", torch.from_numpy(constant))

    def forward(self, votes: Tensor) -> Tensor:
        """Map vote fractions [B, 37] to tree residuals [B, 11].

        A residual is positive if a question's answers sum to too much (see the class).
        """
        return votes @ self.matrix - self.constant


class ConstrainedLoss(nn.Module):
    """Mean squared error + mean over galaxies of sum_q coefficient_q x |tree residual_q|.

    This is the published loss, except that each question has its own constraint coefficient; the
    published loss has one number for all questions. As published, the squared error is averaged
    over all B x 37 values, and the residuals of a galaxy are summed, not averaged.

    coefficients: the constraint coefficients [11], float32.
    residuals: the module that computes the tree residuals.
    """

    coefficients: Tensor

    def __init__(self, coefficients: Sequence[float], tree: Tree = "true") -> None:
        """Build the loss from eleven constraint coefficients, in the order of the questions.

        coefficients: 0 or more; the sign is not checked. tree: decides the parents of question 7
        (see `parent_columns`). Any other number of coefficients raises ValueError.
        """
        super().__init__()
        if len(coefficients) != NUM_QUESTIONS:
            raise ValueError(f"{NUM_QUESTIONS} coefficients are needed, got {len(coefficients)}")
        self.register_buffer("coefficients", torch.tensor(coefficients, dtype=torch.float32))
        self.residuals = TreeResiduals(tree)

    def forward(self, predicted: Tensor, voted: Tensor) -> Tensor:
        """Return the scalar loss of predictions [B, 37] against vote fractions [B, 37].

        The tree residuals are those of the predictions. A network's own regularisation is not
        included.
        """
        squared = (predicted - voted).square().mean()
        penalties = self.residuals(predicted).abs() @ self.coefficients  # [B]
        return squared + penalties.mean()
