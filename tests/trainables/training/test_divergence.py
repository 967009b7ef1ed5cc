"""Divergence: a loss that is not finite is seen at the next look."""

import pytest
import torch

from trainables.training.divergence import Diverged, DivergenceWatch

CPU = torch.device("cpu")


@pytest.mark.parametrize("sum_so_far", [float("nan"), float("inf")])
def test_a_loss_that_is_none_is_seen_at_the_next_look(sum_so_far: float) -> None:
    watch = DivergenceWatch(CPU, epoch=7)
    watch.look(0, torch.tensor(1.0))
    watch.look(24, torch.tensor(sum_so_far))
    with pytest.raises(Diverged, match=f"^train_loss is {sum_so_far} in epoch 7$"):
        watch.look(25, torch.tensor(sum_so_far))
