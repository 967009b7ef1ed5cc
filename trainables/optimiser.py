"""The optimiser that a config asks for, its step done in one pass over all weights."""

from typing import Any

import torch
from torch import Tensor

from search_spaces.declaration.training_protocol import TrainingProtocol
from trainables.network import GalaxyNetwork
from trainables.uncompiled_optimisers import Adam, AdamW

_WAYS = ("lr", "fused", "capturable")  # how steps are taken here, whatever was done before


def build_optimiser(config: TrainingProtocol, network: GalaxyNetwork) -> torch.optim.Optimizer:
    """Adam or AdamW over the network's parameter groups, each with its `factor` beside it."""
    device = next(network.parameters()).device
    groups = [
        {"params": list(group.parameters), "factor": group.factor, **_on(device, config)}
        for group in network.parameter_groups()
    ]
    if config.optimizer == "adamw":
        return AdamW(groups, eps=config.adam_epsilon, weight_decay=config.weight_decay)
    return Adam(groups, eps=config.adam_epsilon)


def _on(device: torch.device, config: TrainingProtocol) -> dict[str, Any]:
    """The step in one pass over all weights; on a GPU with all that changes kept there."""
    if device.type == "cuda":
        rate = torch.tensor(config.learning_rate, device=device)  # so that a graph can hold it
        return {"lr": rate, "fused": True, "capturable": True}
    return {"lr": config.learning_rate, "fused": True}


def set_learning_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Let the next step be taken at `rate`, times each group's own factor."""
    for group in optimiser.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate * group["factor"])
        else:
            group["lr"] = rate * group["factor"]


def load_optimiser(optimiser: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Continue from an optimiser's state_dict, though it took its steps in another way.

    Such as layer by layer, as states of before did, or on another kind of device.
    """
    ways = [{k: own[k] for k in _WAYS} for own in optimiser.param_groups]
    groups = [{**group, **way} for group, way in zip(state["param_groups"], ways, strict=True)]
    optimiser.load_state_dict({**state, "param_groups": groups})
