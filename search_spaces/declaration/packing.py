"""Which configs can be trained as one pack: those that differ in no tensor's shape or type."""

from collections.abc import Sequence

from search_spaces.declaration.hyperparameters import decide_shapes
from search_spaces.declaration.training_protocol import TrainingProtocol


def pack_refusal(configs: Sequence[TrainingProtocol]) -> str | None:
    """Why configs cannot be trained as one, in one line; None where they can."""
    first = configs[0]
    for config in configs:
        if not config.STACKS:
            return f"networks of {config.architecture!r} cannot be trained several as one"
        if type(config) is not type(first):
            return (
                f"a pack holds one architecture, got {first.architecture!r} "
                f"and {config.architecture!r}"
            )
        for name in decide_shapes(type(first)):
            values = getattr(first, name), getattr(config, name)
            if values[0] != values[1]:
                return f"a pack's configs must agree in {name}, got {values[0]} and {values[1]}"
    return None
