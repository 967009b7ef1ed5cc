"""What may be chosen: one module an architecture, each with a frozen `Config`.

A module placed here is found by its name; there is no list to edit.
"""

import importlib
import pkgutil
from collections.abc import Mapping
from typing import Any

from search_spaces.declaration.frozen_config import build, did_you_mean
from search_spaces.declaration.training_protocol import TrainingProtocol


def architecture_names() -> list[str]:
    """Names of all architectures that have a search space, sorted."""
    return sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.ispkg)


def config_class(architecture: str) -> type[TrainingProtocol]:
    """The config class of an architecture; ValueError that lists what exists if unknown."""
    names = architecture_names()
    if architecture not in names:
        raise ValueError(f"no architecture {architecture!r}{did_you_mean(architecture, names)}")
    config: type[TrainingProtocol] = importlib.import_module(
        f"search_spaces.{architecture}"
    ).Config
    return config


def config_from_values(values: Mapping[str, Any]) -> TrainingProtocol:
    """Build the frozen config that `values` describe; they must name their `architecture`."""
    if "architecture" not in values:
        raise ValueError("the config does not name its architecture; add `architecture: ...`")
    return build(config_class(str(values["architecture"])), values)
