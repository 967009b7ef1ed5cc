"""The loss: mean squared error plus one weighted term for each question of the decision tree."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from trainables.decision_tree import NUM_QUESTIONS, Tree, residual_terms


class TreeResiduals(nn.Module):
    """Signed tree residuals of vote fractions: [B, 37] -> [B, 11]."""

    matrix: Tensor
    constant: Tensor

    def __init__(self, tree: Tree = "true") -> None:
        """`tree` says whose parents the questions have."""
        super().__init__()
        matrix, constant = residual_terms(tree)
        self.register_buffer("matrix", torch.from_numpy(matrix))
        self.register_buffer("constant", torch.from_numpy(constant))

    def forward(self, votes: Tensor) -> Tensor:
        """Map [B, 37] to [B, 11]."""
        return votes @ self.matrix - self.constant


class ConstrainedLoss(nn.Module):
    """Mean squared error + mean over galaxies of sum_q coefficient_q x |tree residual_q|.

    The student project's loss, its coefficient one number for all questions; as there, the
    squared error is averaged over all B x 37 values and the residuals are summed, not averaged.
    """

    coefficients: Tensor

    def __init__(self, coefficients: Sequence[float], tree: Tree = "true") -> None:
        """One coefficient a question, eleven in all, each at least 0."""
        super().__init__()
        if len(coefficients) != NUM_QUESTIONS:
            raise ValueError(f"{NUM_QUESTIONS} coefficients are needed, got {len(coefficients)}")
        self.register_buffer("coefficients", torch.tensor(coefficients, dtype=torch.float32))
        self.residuals = TreeResiduals(tree)

    def forward(self, predicted: Tensor, voted: Tensor) -> Tensor:
        """The scalar loss of predictions [B, 37] for votes [B, 37]."""
        squared = (predicted - voted).square().mean()
        penalties = self.residuals(predicted).abs() @ self.coefficients  # [B]
        return squared + penalties.mean()
