"""The residual CNN: its size, its blocks at the start, and what decays."""

import pytest
import torch

from search_spaces.declaration.known_architectures import config_from_values
from trainables.architectures import build_network
from trainables.architectures.residual_cnn import Block, ResidualCNN
from trainables.layers import count_parameters
from trainables.training.optimiser import build_optimiser


@pytest.mark.parametrize(("width", "weights"), [(1.0, 697_941), (1.5, 1_564_717)])
def test_its_number_of_weights(width: float, weights: int) -> None:
    config = config_from_values({"architecture": "residual_cnn", "width": width})
    assert count_parameters(build_network(config))[1] == weights


@pytest.mark.parametrize("side", [16, 50, 96])
def test_it_takes_any_image_side(side: int) -> None:
    values = {"architecture": "residual_cnn", "width": 0.1, "input_side": side}
    network = build_network(config_from_values(values)).eval()
    votes = network(torch.rand(2, 3, side, side))
    assert votes.shape == (2, 37) and network.image_side == side


def test_a_block_begins_as_its_shortcut() -> None:
    block = Block(4, 4, 1).eval()
    maps = torch.randn(2, 4, 5, 5)
    torch.testing.assert_close(block(maps), maps.clamp_min(0))
    assert Block(4, 8, 2)(maps).shape == (2, 8, 3, 3)


def test_kernels_decay_and_biases_and_norms_do_not() -> None:
    config = config_from_values({"architecture": "residual_cnn", "width": 0.1})
    network = build_network(config)
    assert isinstance(network, ResidualCNN)
    kernels, rest = build_optimiser(config, network).param_groups
    assert (kernels["weight_decay"], rest["weight_decay"]) == (0.05, 0.0)
    assert all(p.ndim > 1 for p in kernels["params"]) and all(p.ndim == 1 for p in rest["params"])
    assert len(kernels["params"]) + len(rest["params"]) == len(list(network.parameters()))
