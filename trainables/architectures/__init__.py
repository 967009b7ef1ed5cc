"""The networks: one module an architecture, or a family of them, found by its name."""

import importlib
from types import ModuleType

from search_spaces import config_class, module_name
from search_spaces.declaration.training_protocol import TrainingProtocol
from trainables.network import GalaxyNetwork


def _module(architecture: str) -> ModuleType:
    config_class(architecture)  # says what there is if there is no such architecture
    return importlib.import_module(f"trainables.architectures.{module_name(architecture)}")


def build_network(config: TrainingProtocol) -> GalaxyNetwork:
    """The network that a config describes, before training.

    What is not pretrained is drawn from torch's global random state. ValueError if there is no
    such network, or if its pretrained weights cannot be had.
    """
    network: GalaxyNetwork = _module(config.architecture).build(config)
    return network


def build_without_weights(config: TrainingProtocol) -> GalaxyNetwork:
    """The same network with no pretrained weights looked for: to count, or to fill from a file."""
    if "weights" in type(config).model_fields:
        config = config.model_copy(update={"weights": "none"})
    return build_network(config)


def check_network(config: TrainingProtocol) -> None:
    """ValueError if the config's network or its pretrained weights are not to be had here."""
    module = _module(config.architecture)
    if hasattr(module, "check"):
        module.check(config)


def architecture_source(name: str) -> str:
    """Where the architecture comes from, in one line."""
    return str(_module(name).SOURCE)
