"""The architectures that exist: one module of `search_spaces` for each, found by its name.

A new module in the folder `search_spaces` needs no entry in a list, but a class `Config` with a
field `architecture`. A module describes a family if this field has no default. A member of a
family is named `family:member`.
"""

import functools
import importlib
import pkgutil
from collections.abc import Mapping
from typing import Any

import search_spaces
from search_spaces.declaration.errors import InvalidInput
from search_spaces.declaration.frozen_config import build, did_you_mean
from search_spaces.declaration.training_protocol import TrainingProtocol


def module_name(architecture: str) -> str:
    """Return the name of the module that describes an architecture, such as `simple_cnn`.

    The name of a family's member is cut at the colon: `timm:convnext_tiny` gives `timm`.
    """
    return architecture.partition(":")[0]


def _config_of(module: str) -> type[TrainingProtocol]:
    """Return the class `Config` of the module `search_spaces.MODULE`."""
    config: type[TrainingProtocol] = importlib.import_module(f"search_spaces.{module}").Config
    return config


@functools.cache  # the folder does not change while a process runs
def _modules(families: bool) -> tuple[str, ...]:
    """Return the sorted names of the modules of architectures.

    families: True for the modules that describe families, False for all other modules.
    """
    found = sorted(m.name for m in pkgutil.iter_modules(search_spaces.__path__) if not m.ispkg)
    return tuple(
        m for m in found if _config_of(m).model_fields["architecture"].is_required() == families
    )


def architecture_names() -> list[str]:
    """Return the sorted names of the architectures that are not members of a family."""
    return list(_modules(families=False))


def family_names() -> list[str]:
    """Return the sorted names of the families, such as `timm`.

    A member of a family is an architecture with the name `family:member`.
    """
    return list(_modules(families=True))


def config_class(architecture: str) -> type[TrainingProtocol]:
    """Return the config class of an architecture, which may be a member of a family.

    The member's name is not checked: every `timm:NAME` gives the class of the family `timm`. An
    unknown architecture raises InvalidInput; the message offers the nearest known name or all
    known names.
    """
    if not isinstance(architecture, str):
        raise InvalidInput(f"an architecture must be a name, got {architecture!r}")
    family, colon, member = architecture.partition(":")
    if colon and member and family in family_names():
        return _config_of(family)
    if architecture in architecture_names():
        return _config_of(architecture)
    names = [*architecture_names(), *(f"{name}:NAME" for name in family_names())]
    raise InvalidInput(f"no architecture {architecture!r}{did_you_mean(architecture, names)}")


def config_from_values(values: Mapping[str, Any]) -> TrainingProtocol:
    """Return the frozen config that has the given values by field name.

    The key `architecture` selects the config class. Fields that are not given get their defaults.
    A wrong value, an unknown key, an unknown architecture or a missing key `architecture` raises
    InvalidInput.
    """
    if "architecture" not in values:
        raise InvalidInput("the config does not name its architecture; add `architecture: ...`")
    return build(config_class(str(values["architecture"])), values)
