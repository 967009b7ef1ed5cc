"""What may be chosen: one module an architecture, each with a frozen `Config`.

A module placed here is found by its name; there is no list to edit. A module whose `Config`
gives its architecture no default holds a family: its members are named `family:member`.
"""

import functools
import importlib
import pkgutil
from collections.abc import Mapping
from typing import Any

from search_spaces.declaration.frozen_config import build, did_you_mean
from search_spaces.declaration.training_protocol import TrainingProtocol


def module_name(architecture: str) -> str:
    """The module that an architecture is found in: `timm` for `timm:convnext_tiny`."""
    return architecture.partition(":")[0]


def _config_of(module: str) -> type[TrainingProtocol]:
    config: type[TrainingProtocol] = importlib.import_module(f"search_spaces.{module}").Config
    return config


@functools.cache  # every config that is built asks, and the folder does not change meanwhile
def _modules(families: bool) -> tuple[str, ...]:
    found = sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.ispkg)
    return tuple(
        m for m in found if _config_of(m).model_fields["architecture"].is_required() == families
    )


def architecture_names() -> list[str]:
    """Names of all architectures that have a search space of their own, sorted."""
    return list(_modules(families=False))


def family_names() -> list[str]:
    """Names of the families, whose members are named `family:member`, sorted."""
    return list(_modules(families=True))


def config_class(architecture: str) -> type[TrainingProtocol]:
    """The config class of an architecture; ValueError that lists what exists if unknown."""
    family, colon, member = architecture.partition(":")
    if colon and member and family in family_names():
        return _config_of(family)
    if architecture in architecture_names():
        return _config_of(architecture)
    names = [*architecture_names(), *(f"{name}:NAME" for name in family_names())]
    raise ValueError(f"no architecture {architecture!r}{did_you_mean(architecture, names)}")


def config_from_values(values: Mapping[str, Any]) -> TrainingProtocol:
    """Build the frozen config that `values` describe; they must name their `architecture`."""
    if "architecture" not in values:
        raise ValueError("the config does not name its architecture; add `architecture: ...`")
    return build(config_class(str(values["architecture"])), values)
