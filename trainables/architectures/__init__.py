"""The networks: one module for each architecture or family, found by its name."""

import importlib
from pathlib import Path
from types import ModuleType

from search_spaces.declaration import TrainingProtocol, config_class, module_name
from trainables.backbones import begin_from_export, earlier_config, use_description
from trainables.layers import GalaxyNetwork


def _module(architecture: str) -> ModuleType:
    """Return the module of an architecture's network; InvalidInput if the name is unknown.

    The member of a family is not checked: any name `timm:NAME` gives the module of timm.
    """
    config_class(architecture)  # raises InvalidInput with the known names for an unknown name
    return importlib.import_module(f"trainables.architectures.{module_name(architecture)}")


def build_network(config: TrainingProtocol) -> GalaxyNetwork:
    """Return the network that a config describes, before training, on the CPU.

    Weights that are not pretrained are drawn from torch's global random state. Pretrained weights
    are downloaded if this machine lacks them, and stay in the cache of torch or of the Hugging
    Face hub. With `config.begin_from` all weights are those of an earlier export, and pretrained
    weights are not looked for. InvalidInput is raised if there is no such network, or if the
    weights are wrong, damaged or cannot be had.
    """
    if config.begin_from is not None:
        return _begun_from_export(config)
    network: GalaxyNetwork = _module(config.architecture).build(config)
    network.field_fraction = config.field_fraction
    return network


def _begun_from_export(config: TrainingProtocol) -> GalaxyNetwork:
    """Return the network of a config with the weights of the export `config.begin_from`.

    InvalidInput is raised if there is no such network, or if the export does not fit.
    """
    earlier_config(config)
    network = build_without_weights(config)
    begin_from_export(network, config)
    return network


def build_without_weights(config: TrainingProtocol) -> GalaxyNetwork:
    """Return the network that a config describes, with random weights only, on the CPU.

    Neither pretrained weights nor those of an earlier export are looked for or loaded. Such a
    network serves to count parameters, or to be filled with the weights of an export. A model of
    the Hugging Face hub is built by the description in the folder `config.begin_from`, if there is
    one. The weights are drawn from torch's global random state. A config of no known network, or
    of a timm model that cannot be built or trained, raises InvalidInput.
    """
    if config.begin_from is not None:
        use_description(Path(config.begin_from), config.architecture)
    without = {"begin_from": None, "weights": "none"}
    fields = type(config).model_fields
    return build_network(
        config.model_copy(update={f: v for f, v in without.items() if f in fields})
    )


def check_network(config: TrainingProtocol) -> None:
    """Raise InvalidInput if a config's network or its first weights cannot be had.

    Networks whose weights are drawn pass. A network that begins from an export is built for the
    check. torchvision's weights are downloaded if this machine
    lacks them. timm's weights are not downloaded: only the Hugging Face hub must answer if its
    cache lacks them. A timm model, or a backbone whose weights are a file, is built for the check,
    which draws from torch's global random state.
    """
    module = _module(config.architecture)
    if config.begin_from is not None:
        build_network(config)
    elif hasattr(module, "check"):
        module.check(config)


def architecture_source(name: str) -> str:
    """Return one line that says where an architecture comes from.

    name: the name of the architecture. An unknown name raises InvalidInput, but any name
    `timm:NAME` gives the line of timm.
    """
    return str(_module(name).SOURCE)
