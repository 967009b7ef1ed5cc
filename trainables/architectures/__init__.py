"""The networks: one module an architecture, found by its name."""

import importlib
import pkgutil

from search_spaces.declaration.frozen_config import did_you_mean
from search_spaces.declaration.training_protocol import TrainingProtocol
from trainables.network import GalaxyNetwork


def architecture_names() -> list[str]:
    """Names of all architectures that can be built, sorted."""
    return sorted(m.name for m in pkgutil.iter_modules(__path__))


def build_network(config: TrainingProtocol) -> GalaxyNetwork:
    """The untrained network that a config describes, drawn from torch's global random state."""
    names = architecture_names()
    name = config.architecture
    if name not in names:
        raise ValueError(f"no architecture {name!r}{did_you_mean(name, names)}")
    network: GalaxyNetwork = importlib.import_module(f"trainables.architectures.{name}").build(
        config
    )
    return network


def architecture_source(name: str) -> str:
    """Where the architecture comes from, in one line."""
    return str(importlib.import_module(f"trainables.architectures.{name}").SOURCE)
