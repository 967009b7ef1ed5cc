"""Dropout: the rate asked for, the mean kept, and nothing at all in evaluation."""

import pytest
import torch

from trainables.layers.dropout import Dropout

RATES = (0.1, 0.25, 0.5)
TYPES = (torch.float32, torch.bfloat16, torch.float64)


def seeded(rate: float, values: torch.Tensor, seed: int = 0) -> torch.Tensor:
    torch.manual_seed(seed)
    return Dropout(rate)(values)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("dtype", TYPES)
def test_values_are_dropped_at_the_rate_and_the_others_enlarged(
    rate: float, dtype: torch.dtype
) -> None:
    dropped = seeded(rate, torch.ones(400, 1001, dtype=dtype))
    kept = torch.tensor(1 / (1 - rate)).to(dtype)
    assert dropped.dtype == dtype
    assert dropped.unique().tolist() == pytest.approx([0.0, float(kept)], rel=1e-4)
    # 400,400 draws: a standard deviation is .0008 at a rate of .5
    assert float((dropped == 0).double().mean()) == pytest.approx(rate, abs=0.004)


def test_neighbours_are_dropped_independently() -> None:
    dropped = (seeded(0.5, torch.ones(300_000)) == 0).double()
    for lag in (1, 2, 3, 4, 8):
        both = torch.stack([dropped[lag:], dropped[:-lag]])
        assert abs(float(torch.corrcoef(both)[0, 1])) < 0.01  # a standard deviation is .0018


def test_the_seed_decides_and_each_call_draws_anew() -> None:
    values = torch.rand(64, 65)
    assert torch.equal(seeded(0.3, values), seeded(0.3, values))
    assert not torch.equal(seeded(0.3, values), seeded(0.3, values, seed=1))
    layer = Dropout(0.3)
    assert not torch.equal(layer(values), layer(values))


@pytest.mark.parametrize("layer", [Dropout(0.5).eval(), Dropout(0.0)])
def test_evaluation_and_rate_0_change_nothing(layer: Dropout) -> None:
    values = torch.rand(8, 9)
    assert torch.equal(layer(values), values)


def test_the_layout_in_memory_stays() -> None:
    images = torch.rand(4, 3, 8, 8).contiguous(memory_format=torch.channels_last)
    assert seeded(0.5, images).is_contiguous(memory_format=torch.channels_last)


def test_gradients_pass_where_values_do() -> None:
    values = torch.rand(50, 50, requires_grad=True)
    dropped = seeded(0.5, values)
    dropped.sum().backward()
    assert values.grad is not None
    assert torch.equal(values.grad, torch.where(dropped == 0, 0.0, 2.0))


@pytest.mark.parametrize("rate", [1e-9, 1 - 1e-9])
def test_rates_that_16_bits_cannot_tell_from_0_and_1_stay_finite(rate: float) -> None:
    dropped = seeded(rate, torch.ones(10_000))
    assert dropped.isfinite().all()
    assert float((dropped == 0).double().mean()) == pytest.approx(round(rate), abs=1e-3)
