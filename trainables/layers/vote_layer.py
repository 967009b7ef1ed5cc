"""The last layer of all networks, which turns features into the 37 vote fractions.

The heads "tree_softmax" and "tree_softplus" follow the decision tree: in each question the answers
get shares that sum to 1, and the shares are multiplied by the vote fractions of the answers after
which the question is asked. The tree residuals are therefore zero, whatever the weights. The
softplus form is the divisive normalisation of Dieleman, Willett and Dambre 2015, with a softplus
in place of their ReLU, because a ReLU can be zero for all answers of a question.
"""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.decision_tree import NUM_ANSWERS, QUESTIONS, SLICES, parent_columns

HeadName = Literal["sigmoid", "tree_softmax", "tree_softplus"]

_LEAST_VOTE = 1e-3  # a mean vote fraction counts as at least so much for the first bias
_FIRST_SCALE = 0.1  # factor on the first weights, so that the first predictions are near the bias


class VoteLayer(nn.Linear):
    """A dense layer and a head: features [B, F] to vote fractions [B, 37] in 0..1.

    The result has the type of the layer's weights, and is computed in that type even if the rest
    of the network computes in a lower precision: the rounding of the last layer is not averaged
    out by a later layer, and the layer is too small for its cost to matter. Only while
    `torch.export` writes the network to a file, the layer computes in the precision of the layers
    before it.

    head: "sigmoid" for 37 independent sigmoids, "tree_softmax" or "tree_softplus" for fractions
        that follow the decision tree (see the module).
    """

    def __init__(self, num_features: int, head: HeadName) -> None:
        """Build the layer with torch's initial weights for F = `num_features` features."""
        super().__init__(num_features, NUM_ANSWERS)
        self.head = head

    def forward(self, features: Tensor) -> Tensor:
        """Map features [B, F] to vote fractions [B, 37] in 0..1."""
        if torch.compiler.is_exporting():
            return vote_fractions(super().forward(features), self.head)
        with torch.autocast(features.device.type, enabled=False):
            return vote_fractions(super().forward(features.to(self.weight.dtype)), self.head)

    @torch.no_grad()
    def begin_at(self, votes: Tensor) -> None:
        """Set the first bias and scale the weights so that all predictions begin near `votes`.

        votes: mean vote fractions [37] in 0..1. A fraction below 0.001 counts as 0.001, and one
        above 0.999 as 0.999, for a tree head as a share of its question. The weights are
        multiplied by 0.1. If all features are 0, the layer then predicts `votes`, up to these
        limits, and for a tree head as far as `votes` follow the tree.
        """
        self.bias.copy_(_bias_of(votes.to(self.bias), self.head))
        self.weight.mul_(_FIRST_SCALE)


def vote_fractions(outputs: Tensor, head: HeadName) -> Tensor:
    """Map a dense layer's outputs [B, 37] to vote fractions [B, 37] in 0..1.

    head: as in VoteLayer. With a tree head every question's fractions sum to the fractions of its
    parents, up to the rounding of the type of `outputs`.
    """
    if head == "sigmoid":
        return torch.sigmoid(outputs)
    fractions: list[Tensor] = []  # of each answer, [B, 1]
    for question, answers in zip(QUESTIONS, SLICES):
        shares = _shares(outputs[:, answers], head)
        parents = [fractions[column] for column in parent_columns(question)]
        if parents:
            shares = shares * torch.cat(parents, dim=1).sum(dim=1, keepdim=True)
        fractions += shares.split(1, dim=1)
    return torch.cat(fractions, dim=1)


def _shares(outputs: Tensor, head: HeadName) -> Tensor:
    """Map the outputs [B, A] of a question's answers to shares [B, A] that sum to 1."""
    if head == "tree_softmax":
        return torch.softmax(outputs, dim=1)
    positive = F.softplus(outputs) + torch.finfo(outputs.dtype).tiny  # the sum is never 0
    return positive / positive.sum(dim=1, keepdim=True)


def _bias_of(votes: Tensor, head: HeadName) -> Tensor:
    """Return the bias [37] with which a layer predicts `votes` [37] (see `begin_at`)."""
    if head == "sigmoid":
        return torch.logit(votes.clamp(_LEAST_VOTE, 1 - _LEAST_VOTE))
    biases = []
    for answers in SLICES:
        asked = votes[answers].clamp_min(_LEAST_VOTE * votes[answers].sum().clamp_min(_LEAST_VOTE))
        shares = asked / asked.sum()
        if head == "tree_softmax":
            biases.append(shares.log())
        else:  # the inverse of the softplus, at outputs whose softplus is 1 in the mean
            biases.append(torch.expm1(shares * len(shares)).log())
    return torch.cat(biases)
