"""The loss and the metrics: worked by hand, and against the notebook's eleven terms."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from trainables.training.loss import ConstrainedLoss
from trainables.training.metrics import evaluate, mean_tree_residual, question_rmse, rmse

EQUAL = (1e-3,) * 11
seeded = np.random.default_rng(0)
PREDICTED = seeded.random((16, 37)).astype(np.float32)
VOTED = seeded.random((16, 37)).astype(np.float32)


def loss(predicted: NDArray, voted: NDArray, coefficients: tuple, tree="true") -> float:
    rows = (torch.from_numpy(a.astype(np.float32)) for a in (predicted, voted))
    return float(ConstrainedLoss(coefficients, tree)(*rows))


def notebook_terms(p: NDArray, tree: str) -> NDArray:
    """The eleven terms [11, N] as the notebook's loss has them, the seventh by either tree."""
    parent_of_7 = p[:, 10] if tree == "as_published" else p[:, 0]
    return np.stack(
        [
            p[:, 0:3].sum(1) - 1,
            p[:, 13:15].sum(1) - 1,
            p[:, 3] + p[:, 4] - p[:, 1],
            p[:, 15:18].sum(1) - parent_of_7,
            p[:, 18:25].sum(1) - p[:, 13],
            p[:, 25:28].sum(1) - p[:, 3],
            p[:, 5:7].sum(1) - p[:, 4],
            p[:, 7:9].sum(1) - p[:, 4],
            p[:, 28:31].sum(1) - p[:, 7],
            p[:, 9:13].sum(1) - p[:, 7] - p[:, 8],
            p[:, 31:37].sum(1) - p[:, 7],
        ]
    )


def test_one_row_worked_by_hand() -> None:
    predicted = np.zeros((1, 37))
    predicted[0, [0, 1, 13, 14, 15]] = 0.5, 0.3, 0.5, 0.5, 0.2
    # residuals: Q1 .8 - 1 = -.2, Q2 0 - .3 = -.3, Q6 0, Q7 .2 - .5 = -.3, Q8 0 - .5 = -.5
    # squares: .25 + .09 + .25 + .25 + .04 = .88
    expected = 0.88 / 37 + 0.1 * (0.2 + 0.3 + 0.3 + 0.5)
    assert loss(predicted, np.zeros((1, 37)), (0.1,) * 11) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("tree", ["true", "as_published"])
def test_loss_is_the_notebooks(tree: str) -> None:
    terms = np.abs(notebook_terms(PREDICTED.astype(np.float64), tree))
    expected = ((PREDICTED - VOTED) ** 2).mean() + 0.03 * terms.sum(axis=0).mean()
    assert loss(PREDICTED, VOTED, (0.03,) * 11, tree) == pytest.approx(expected, rel=1e-5)


QUESTION_OF_TERM = (1, 6, 2, 7, 8, 9, 3, 4, 10, 5, 11)  # c1 ... c11 of the notebook


@pytest.mark.parametrize("term", range(11))
def test_only_the_question_with_a_coefficient_counts(term: int) -> None:
    coefficients = [0.0] * 11
    coefficients[QUESTION_OF_TERM[term] - 1] = 2.0
    expected = 2 * np.abs(notebook_terms(PREDICTED, "true")[term]).mean()
    assert loss(PREDICTED, PREDICTED, tuple(coefficients)) == pytest.approx(expected, rel=1e-5)


def test_published_tree_gives_another_loss() -> None:
    true, published = (loss(PREDICTED, VOTED, EQUAL, t) for t in ("true", "as_published"))
    terms = [np.abs(notebook_terms(PREDICTED, t)[3]).mean() for t in ("true", "as_published")]
    assert true != published
    assert published - true == pytest.approx(1e-3 * (terms[1] - terms[0]), abs=1e-7)


def test_no_coefficient_leaves_the_mean_squared_error() -> None:
    assert loss(PREDICTED, VOTED, (0.0,) * 11) == pytest.approx(rmse(PREDICTED, VOTED) ** 2)


def test_gradient_of_the_penalty_is_the_coefficient() -> None:
    predicted = torch.full((1, 37), 0.5, requires_grad=True)
    ConstrainedLoss((0.0,) * 5 + (0.2,) + (0.0,) * 5)(predicted + 0.1, predicted + 0.1).backward()
    assert predicted.grad is not None
    expected = torch.zeros(1, 37)
    expected[0, 13:15] = 0.2  # Q6: .6 + .6 is above 1
    assert torch.allclose(predicted.grad, expected)


def test_ten_coefficients_are_refused() -> None:
    with pytest.raises(ValueError, match="11 coefficients are needed, got 10"):
        ConstrainedLoss((0.1,) * 10)


def test_perfect_predictions_of_real_galaxies_cost_nothing(real_targets: NDArray) -> None:
    votes = real_targets[:500]
    assert loss(votes, votes, (1.0,) * 11) < 2e-5
    assert loss(votes, votes, (1.0,) * 11, "as_published") > 0.3


def test_metrics_worked_by_hand() -> None:
    voted, predicted = np.zeros((2, 37)), np.zeros((2, 37))
    predicted[0, 3] = 0.4  # question 2, which has 2 answers
    predicted[1, 36] = 0.3  # question 11, which has 6
    assert rmse(predicted, voted) == pytest.approx((0.25 / 74) ** 0.5)
    by_question = question_rmse(predicted, voted)
    assert list(by_question) == [f"rmse_q{q}" for q in range(1, 12)]
    assert by_question["rmse_q2"] == pytest.approx(0.2)  # sqrt(.16 / 4)
    assert by_question["rmse_q11"] == pytest.approx((0.09 / 12) ** 0.5)
    assert sum(by_question.values()) == by_question["rmse_q2"] + by_question["rmse_q11"]


def test_mean_tree_residual_worked_by_hand() -> None:
    predicted = np.zeros((2, 37))
    predicted[:, [2, 14]] = 1.0  # an artifact, nothing odd: the tree holds
    predicted[0, 3] = 0.4  # Q2 sums to .4 unasked, Q9 lacks .4
    assert mean_tree_residual(predicted) == pytest.approx((0.4 + 0.4) / 22)


def test_evaluate_tells_all_metrics() -> None:
    metrics = evaluate(PREDICTED, VOTED)
    assert metrics == {
        "rmse": rmse(PREDICTED, VOTED),
        "tree_residual": mean_tree_residual(PREDICTED),
        **question_rmse(PREDICTED, VOTED),
    }


def test_rmse_of_all_answers_is_that_of_the_questions_weighted_by_their_answers() -> None:
    sizes = np.array([3, 2, 2, 2, 4, 2, 3, 7, 3, 3, 6])
    squares = np.array(list(question_rmse(PREDICTED, VOTED).values())) ** 2
    assert rmse(PREDICTED, VOTED) == pytest.approx(np.sqrt((sizes * squares).sum() / 37))
