"""The heads of the last layer: hand-worked numbers, an independent form, and where they begin."""

import math
from typing import get_args

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from trainables.decision_tree import COLUMNS, tree_residuals
from trainables.layers.vote_layer import HeadName, VoteLayer, vote_fractions

TREE_HEADS: tuple[HeadName, ...] = ("tree_softmax", "tree_softplus")
# Dieleman's slices and steps: each step multiplies the answers by a parent that is scaled already.
STEPS = (
    (slice(3, 5), 1),
    (slice(5, 9), 4),
    (slice(15, 18), 0),
    (slice(18, 25), 13),
    (slice(25, 28), 3),
    (slice(28, 37), 7),
)
BOUNDS = (0, 3, 5, 7, 9, 13, 15, 18, 25, 28, 31, 37)


def independent(outputs: NDArray[np.float64], head: HeadName) -> NDArray[np.float64]:
    """The fractions in NumPy and float64, by question from the numbers of their columns."""
    positive = np.exp(outputs) if head == "tree_softmax" else np.log1p(np.exp(outputs))
    for start, end in zip(BOUNDS, BOUNDS[1:]):
        positive[:, start:end] /= positive[:, start:end].sum(axis=1, keepdims=True)
    for answers, parent in STEPS:
        positive[:, answers] *= positive[:, [parent]]
    positive[:, 9:13] *= positive[:, [7]] + positive[:, [8]]  # question 5 has two parents
    return positive


@pytest.mark.parametrize("head", TREE_HEADS)
def test_it_agrees_with_an_independent_form(head: HeadName) -> None:
    outputs = np.random.default_rng(0).normal(0, 4, (200, 37))
    found = vote_fractions(torch.from_numpy(outputs), head).numpy()
    np.testing.assert_allclose(found, independent(outputs.copy(), head), rtol=1e-12, atol=1e-15)


def test_the_softmax_by_hand() -> None:
    outputs = torch.zeros(1, 37)
    outputs[0, 0:3] = torch.tensor([math.log(1), math.log(2), math.log(1)])  # 1/4, 1/2, 1/4
    outputs[0, 4] = math.log(3)  # not edge-on: 3/4 of the 1/2
    votes = dict(zip(COLUMNS, vote_fractions(outputs, "tree_softmax")[0].tolist()))
    assert votes["Class1.2"] == pytest.approx(1 / 2)
    assert votes["Class2.2"] == pytest.approx(3 / 8)
    assert votes["Class4.1"] == pytest.approx(3 / 16)
    assert votes["Class5.1"] == pytest.approx((3 / 16 + 3 / 16) / 4)
    assert votes["Class6.1"] == pytest.approx(1 / 2)
    assert votes["Class7.1"] == pytest.approx(1 / 4 / 3)
    assert votes["Class8.1"] == pytest.approx(1 / 2 / 7)
    assert votes["Class11.1"] == pytest.approx(3 / 16 / 6)


def test_the_softplus_by_hand() -> None:
    outputs = torch.zeros(1, 37)
    outputs[0, 5] = math.log(math.expm1(3 * math.log(2)))  # three times the softplus of 0
    votes = dict(zip(COLUMNS, vote_fractions(outputs, "tree_softplus")[0].tolist()))
    assert votes["Class3.1"] == pytest.approx(1 / 3 / 2 * 3 / 4)


@pytest.mark.parametrize("head", TREE_HEADS)
@pytest.mark.parametrize("scale", [1, 30, 1e4], ids=str)
def test_no_weights_give_a_tree_residual(head: HeadName, scale: float) -> None:
    torch.manual_seed(0)
    votes = vote_fractions(scale * torch.randn(500, 37), head)
    assert bool(torch.isfinite(votes).all()) and float(votes.min()) >= 0
    assert abs(tree_residuals(votes.numpy())).max() <= 1e-6


def test_bfloat16_training_keeps_the_residual() -> None:
    torch.manual_seed(0)
    layer, features = VoteLayer(16, "tree_softmax"), torch.randn(64, 16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        votes = layer(features.bfloat16())
    assert votes.dtype == torch.float32
    assert abs(tree_residuals(votes.detach().numpy())).max() <= 1e-6


@pytest.mark.parametrize("head", get_args(HeadName))
def test_its_gradient_is_that_of_finite_differences(head: HeadName) -> None:
    torch.manual_seed(0)
    outputs = torch.randn(3, 37, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda given: vote_fractions(given, head), outputs)


@pytest.mark.parametrize("head", get_args(HeadName))
def test_it_begins_at_the_votes(head: HeadName, real_targets: NDArray[np.float32]) -> None:
    torch.manual_seed(0)
    mean = torch.from_numpy(real_targets.mean(axis=0))
    layer = VoteLayer(8, head)
    before = layer.weight.clone()
    layer.begin_at(mean)
    torch.testing.assert_close(layer(torch.zeros(1, 8))[0], mean, atol=2e-3, rtol=0)
    torch.testing.assert_close(layer.weight, 0.1 * before)


@pytest.mark.parametrize("head", get_args(HeadName))
def test_it_begins_at_votes_that_nobody_gave(head: HeadName) -> None:
    layer = VoteLayer(8, head)
    for mean in (torch.zeros(37), torch.ones(37)):
        layer.begin_at(mean)
        assert bool(torch.isfinite(layer.bias).all())
