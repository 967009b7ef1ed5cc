"""The optimiser that a config asks for, and the schedule of its learning rate."""

import math
from typing import Any

import torch
from torch import Tensor

from search_spaces.declaration import TrainingProtocol
from trainables.layers import GalaxyNetwork
from trainables.training.uncompiled_optimisers import Adam, AdamW

# Keys of a parameter group that belong to this process's device; a loaded state does not set them.
_WAYS = ("lr", "fused", "capturable")


def build_optimiser(config: TrainingProtocol, network: GalaxyNetwork) -> torch.optim.Optimizer:
    """Return Adam or AdamW over the network's parameter groups, as the config asks.

    Each entry of the optimiser's `param_groups` has a key `factor`: the group's factor on the
    learning rate. The first learning rate of every group is the config's, without the factor,
    until `set_learning_rate` is called. The optimiser works on the device on which the network is
    now.
    """
    device = next(network.parameters()).device
    groups = [
        {
            "params": list(group.parameters),
            "factor": group.factor,
            **_on(device, config),
            **({} if group.decays else {"weight_decay": 0.0}),
        }
        for group in network.parameter_groups()
    ]
    if config.optimizer == "adamw":
        return AdamW(groups, eps=config.adam_epsilon, weight_decay=config.weight_decay)
    return Adam(groups, eps=config.adam_epsilon)


def _on(device: torch.device, config: TrainingProtocol) -> dict[str, Any]:
    """Return the learning rate and the options of a parameter group for a device.

    A fused step passes once over all weights. On a GPU the learning rate is a tensor and the steps
    are capturable, so that all changing numbers stay on the GPU and a CUDA graph can hold the
    step.
    """
    if device.type == "cuda":
        rate = torch.tensor(config.learning_rate, device=device)  # a graph can hold a tensor
        return {"lr": rate, "fused": True, "capturable": True}
    return {"lr": config.learning_rate, "fused": True}


def set_learning_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of the next step to `rate` times each group's own factor.

    optimiser: an optimiser of `build_optimiser`, whose groups have the key `factor`.
    """
    for group in optimiser.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate * group["factor"])
        else:
            group["lr"] = rate * group["factor"]


def load_optimiser(optimiser: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Load an optimiser's state_dict, and keep the way in which this optimiser takes its steps.

    The learning rate and the options `fused` and `capturable` are kept, because the state may come
    from another kind of device, or from steps taken layer by layer. The optimiser may take over
    the tensors of `state`, so that later steps change these tensors. Another number of parameter
    groups, or of parameters in a group, raises ValueError.
    """
    ways = [{k: own[k] for k in _WAYS} for own in optimiser.param_groups]
    groups = [{**group, **way} for group, way in zip(state["param_groups"], ways, strict=True)]
    optimiser.load_state_dict({**state, "param_groups": groups})


def learning_rate_factor(config: TrainingProtocol, step: int, steps_per_epoch: int) -> float:
    """Return the schedule's factor on the learning rate at one optimiser step, in 0..1.

    A constant schedule is always 1. A cosine schedule rises linearly over `warmup_epochs`, which
    are at most all epochs but one, and then falls towards 0 as half a cosine until the last of the
    config's epochs. step: number of the step in the whole training, from 0. steps_per_epoch: steps
    in one epoch, at least 1.
    """
    if config.schedule == "constant":
        return 1.0
    warmup = min(config.warmup_epochs, config.epochs - 1) * steps_per_epoch
    if step < warmup:
        return (step + 1) / warmup
    total = config.epochs * steps_per_epoch
    progress = (step - warmup) / max(1, total - warmup)
    return 0.5 * (1 + math.cos(math.pi * progress))


def learning_rate(config: TrainingProtocol, step: int, steps_per_epoch: int) -> float:
    """Return the learning rate at one optimiser step, before any group's own factor.

    step: number of the step in the whole training, from 0. steps_per_epoch: steps in one epoch.
    """
    return config.learning_rate * learning_rate_factor(config, step, steps_per_epoch)
