"""The optimiser that a config asks for, its step done in one pass over all weights."""

from typing import Any

import torch

from search_spaces.declaration.training_protocol import TrainingProtocol
from trainables.network import GalaxyNetwork
from trainables.uncompiled_optimisers import Adam, AdamW

_ONE_PASS = {"fused": True}  # not the layer-by-layer arithmetic that is the default on a CPU


def build_optimiser(config: TrainingProtocol, network: GalaxyNetwork) -> torch.optim.Optimizer:
    """Adam or AdamW over the network's parameter groups, each with its `factor` beside it."""
    groups = [
        {"params": list(group.parameters), "factor": group.factor}
        for group in network.parameter_groups()
    ]
    chosen: dict[str, Any] = {"lr": config.learning_rate, "eps": config.adam_epsilon, **_ONE_PASS}
    if config.optimizer == "adamw":
        return AdamW(groups, weight_decay=config.weight_decay, **chosen)
    return Adam(groups, **chosen)


def load_optimiser(optimiser: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Continue from an optimiser's state_dict, also one written before steps were one pass."""
    groups = [{**group, **_ONE_PASS} for group in state["param_groups"]]
    optimiser.load_state_dict({**state, "param_groups": groups})
