"""Descriptions of the architectures: their numbers of parameters and their sources."""

from collections.abc import Sequence

from analysis.records import JsonDocument
from search_spaces.declaration import architecture_names, config_class, config_from_values
from trainables.architectures import architecture_source, build_without_weights
from trainables.layers import count_parameters


class ArchitectureDescription(JsonDocument):
    """A description of an architecture at its published size."""

    name: str
    """Name of the architecture."""
    total_parameters: int
    """Number of parameters as Keras counts them, with BatchNorm's moving statistics."""
    trainable_parameters: int
    """Number of parameters that training changes."""
    source: str
    """Where the architecture comes from, in one line."""


def described_architectures(names: Sequence[str] = ()) -> list[ArchitectureDescription]:
    """Return the descriptions of the named architectures, in the order of the names.

    Without names, return the descriptions of all architectures that are not members of a family
    such as `timm`, sorted by name. A name that is unknown, also to the timm library, raises
    InvalidInput. Each network is built once, with random weights, which changes torch's global
    random state.
    """
    described = []
    for name in names or architecture_names():
        published = config_class(name).PUBLISHED
        config = config_from_values({**published, "architecture": name})
        total, trainable = count_parameters(build_without_weights(config))
        described.append(
            ArchitectureDescription(
                name=name,
                total_parameters=total,
                trainable_parameters=trainable,
                source=architecture_source(name),
            )
        )
    return described
