"""Tests of the variants that benchmarks/left_out.py measures."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.left_out import LeftOut, Likelihood
from search_spaces.declaration import config_from_values
from trainables.decision_tree import QUESTIONS, SLICES
from trainables.layers.vote_layer import vote_fractions

SMALL = {"architecture": "residual_cnn", "width": 0.1, "depth": 1, "batch_size": 16, "epochs": 1}


def test_the_likelihood_is_that_of_the_shares_of_each_question() -> None:
    """All answers of a question have equal shares, so a question counts by its votes."""
    predicted = vote_fractions(torch.zeros(1, 37), "tree_softmax")
    voted = torch.rand(1, 37, generator=torch.Generator().manual_seed(0))
    expected = sum(
        float(voted[0, answers].sum()) * math.log(len(question.answers))
        for question, answers in zip(QUESTIONS, SLICES)
    )
    found = Likelihood(by_share=True)(predicted, voted)
    assert float(found) == pytest.approx(expected / 11, rel=1e-4)
    assert float(Likelihood(by_share=False)(predicted, voted)) > float(found)


def test_the_likelihood_is_lowest_at_the_votes() -> None:
    outputs = torch.randn(4, 37, generator=torch.Generator().manual_seed(1))
    voted = vote_fractions(outputs, "tree_softmax")
    at_votes = float(Likelihood(by_share=True)(voted, voted))
    other = vote_fractions(outputs + 0.3 * torch.cos(torch.arange(37.0)), "tree_softmax")
    assert at_votes < float(Likelihood(by_share=True)(other, voted))


def test_a_symmetric_network_predicts_the_same_for_a_turned_image(toy_npz: Path) -> None:
    training = LeftOut("symmetric", config_from_values(SMALL), toy_npz, 32, variant="symmetric")
    run = training.run()
    run.run_epoch()
    run.network.eval()
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        upright = run.network(images)
        turned = run.network(torch.rot90(images, 1, (2, 3)).flip(3))
    np.testing.assert_allclose(turned, upright, atol=1e-6)
    assert upright.std(dim=0).max() > 0
