"""Tests of the gain of eight views, in numbers and in a sentence."""

import numpy as np
import pytest

from galaxytune.models.view_metrics import view_metrics, view_sentence, views_worth_taking

VOTED = np.random.default_rng(0).random((100, 37))
ERRORS = np.random.default_rng(1).normal(0, 0.1, VOTED.shape)
END = " and take 8 times as long; `predict` uses 1 view unless `--views 8` is given."
EIGHT = " and take 8 times as long; `predict` uses 8 views unless `--views 1` is given."


def measured(factor: float, noise: float = 0.0) -> dict[str, float]:
    """Metrics in which the errors of 8 views are `factor` times those of 1 view, and more."""
    more = noise * np.random.default_rng(2).normal(0, 0.1, VOTED.shape)
    found = view_metrics(VOTED + ERRORS, VOTED + factor * ERRORS + more, VOTED)
    return found | {"rmse": float(np.sqrt((ERRORS**2).mean()))}


def test_the_difference_is_that_of_the_two_rmses() -> None:
    found = measured(0.98)
    assert found["rmse_8_views"] == pytest.approx(0.98 * found["rmse"])
    assert found["rmse_8_views_difference"] == pytest.approx(-0.02 * found["rmse"])


def test_a_gain_a_loss_and_neither_are_told() -> None:
    gain, loss, neither = (
        view_sentence(m) for m in (measured(0.98), measured(1.02), measured(0.98, 0.2))
    )
    assert gain == (
        "8 views lower the validation RMSE by 2.0 % (95 % interval 2.0 % to 2.0 %)" + EIGHT
    )
    assert loss.startswith("8 views raise the validation RMSE by 2.0 %") and loss.endswith(END)
    assert neither.startswith("8 views change the validation RMSE by ")
    assert "so that no gain is shown," in neither and neither.endswith(END)


def test_metrics_without_views_give_no_sentence() -> None:
    assert view_sentence({"rmse": 0.1}) == ""


@pytest.mark.parametrize(
    ("factor", "noise", "number"),
    [(0.98, 0.0, 8), (0.995, 0.0, 1), (1.02, 0.0, 1), (0.98, 0.2, 1), (0.95, 0.02, 8)],
)
def test_eight_views_are_taken_where_they_surely_gain_a_hundredth(
    factor: float, noise: float, number: int
) -> None:
    assert views_worth_taking(measured(factor, noise)) == number
    assert views_worth_taking({"rmse": 0.1}) == 1
