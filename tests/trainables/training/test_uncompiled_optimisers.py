"""Our Adam and AdamW are PyTorch's, number by number, and leave its compiler on disk."""

import subprocess
import sys
from collections.abc import Callable

import pytest
import torch

from trainables.training import uncompiled_optimisers as ours

STEPS = """
import sys, torch
from trainables.training.uncompiled_optimisers import Adam, AdamW
for kind in (Adam, AdamW):
    weight = torch.nn.Parameter(torch.ones(3))
    optimiser = kind([weight], lr=0.1, fused=True)
    weight.sum().backward()
    optimiser.step()
    optimiser.zero_grad()
    optimiser.load_state_dict(optimiser.state_dict())
print("torch._dynamo" in sys.modules)
"""


def weights_after(kind: Callable[..., torch.optim.Optimizer], **options: float) -> torch.Tensor:
    """Weights [20] after ten steps, the state saved and loaded after five."""
    chance = torch.Generator().manual_seed(0)
    weight = torch.nn.Parameter(torch.rand(20, generator=chance))
    optimiser = kind([weight], lr=0.1, **options)
    for step in range(10):
        optimiser.zero_grad()
        (weight - torch.rand(20, generator=chance)).square().sum().backward()
        optimiser.step()
        if step == 4:
            state = optimiser.state_dict()
            optimiser = kind([weight], lr=0.5, **options)
            optimiser.load_state_dict(state)
    return weight.detach()


@pytest.mark.parametrize("options", [{}, {"fused": True}, {"weight_decay": 0.1}])
def test_every_step_is_pytorchs(options: dict) -> None:
    for mine, theirs in ((ours.Adam, torch.optim.Adam), (ours.AdamW, torch.optim.AdamW)):
        assert torch.equal(weights_after(mine, **options), weights_after(theirs, **options))


@pytest.mark.slow
def test_the_compiler_is_not_imported() -> None:
    run = subprocess.run([sys.executable, "-c", STEPS], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
