"""The learning rate's course: constant, or a linear warm-up and half a cosine down to zero."""

import math

from search_spaces.declaration.training_protocol import TrainingProtocol


def learning_rate_factor(config: TrainingProtocol, step: int, steps_per_epoch: int) -> float:
    """Factor on the learning rate at optimiser step `step` (from 0), in 0..1."""
    if config.schedule == "constant":
        return 1.0
    warmup = min(config.warmup_epochs, config.epochs - 1) * steps_per_epoch
    if step < warmup:
        return (step + 1) / warmup
    total = config.epochs * steps_per_epoch
    progress = (step - warmup) / max(1, total - warmup)
    return 0.5 * (1 + math.cos(math.pi * progress))


def learning_rate(config: TrainingProtocol, step: int, steps_per_epoch: int) -> float:
    """The learning rate at optimiser step `step` (from 0), before any group's own factor."""
    return config.learning_rate * learning_rate_factor(config, step, steps_per_epoch)
