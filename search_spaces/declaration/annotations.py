"""The annotations by which a config class marks the fields that are searched.

A field is searched if its annotation carries an Optuna distribution. If the distribution has a
single choice, every config of a search but the published one has that choice, and the published
config has the field's default. `Each` gives every entry of a tuple the same distribution. `OnlyIf`
limits a field to certain values of another field.
`STACKABLE` marks a field in which the members of a pack, networks trained as one, may differ.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from search_spaces.declaration.frozen_config import FrozenConfig
from search_spaces.declaration.quiet_optuna import BaseDistribution, CategoricalDistribution


@dataclass(frozen=True)
class Each:
    """An annotation of a tuple field whose entries are all drawn from the same distribution.

    The field must have a default; the length of the default is the number of entries that a search
    draws.

    distribution: the Optuna distribution of one entry.
    """

    distribution: BaseDistribution


class OnlyIf:
    """An annotation of a field that is used only when another field has one of certain values.

    A search draws a value for the annotated field only when the field is used. If the other field
    has such an annotation too, the annotated field is used only when both conditions hold.

    field: the name of the other field. values: the values of the other field for which the
    annotated field is used, as a tuple.
    """

    def __init__(self, field: str, *values: Any) -> None:
        """Store the condition under which the annotated field is used.

        field: the name of the other field, which must be declared before the annotated field.
        values: the values of the other field for which the annotated field is used.
        """
        self.field, self.values = field, values


@dataclass(frozen=True)
class Stackable:
    """An annotation of a field in which the members of a pack may differ.

    The members of a pack are networks that are trained as one. The field decides neither the
    layers of the network nor the shape or type of a tensor. In a field without this annotation all
    members of a pack must have the same value.
    """


STACKABLE = Stackable()


@dataclass(frozen=True)
class Hyperparameter:
    """A field of a config class whose value a search decides.

    name: the field's name. distribution: the Optuna distribution of each scalar. length: the
    number of entries of a tuple field, None for a scalar. conditions: the conditions under which
    the field is used, all of which must hold: the condition of the field, then that of the field
    which the condition names, and so on; () for a field that is always used.
    """

    name: str
    distribution: BaseDistribution
    length: int | None
    conditions: tuple[OnlyIf, ...]

    @property
    def only_choice(self) -> tuple[Any, ...]:
        """The single value that a search gives the field, as a tuple; () if the field varies."""
        distribution = self.distribution
        if isinstance(distribution, CategoricalDistribution) and len(distribution.choices) == 1:
            return tuple(distribution.choices)
        return ()

    def entries(self) -> list[str]:
        """Return the names of the field's scalars.

        A scalar field has one name, that of the field. A tuple field has the names `name.1`,
        `name.2`, ... in the order of the entries.
        """
        if self.length is None:
            return [self.name]
        return [f"{self.name}.{i}" for i in range(1, self.length + 1)]

    def in_use(self, values: Mapping[str, Any]) -> bool:
        """Return True if a config with the given values uses the field.

        values: the config's values by field name. KeyError is raised if a field that a condition
        names is missing.
        """
        return all(values[needed.field] in needed.values for needed in self.conditions)


def hyperparameters(config_class: type[FrozenConfig]) -> Iterator[Hyperparameter]:
    """Yield one Hyperparameter for each field with a distribution, in order of declaration.

    A field without a distribution is not searched and is left out. A field whose distribution has
    a single choice is not left out (see `Hyperparameter.only_choice`).
    """
    for name, field in config_class.model_fields.items():
        conditions = tuple(conditions_of(config_class, name))
        for mark in field.metadata:
            if isinstance(mark, BaseDistribution):
                yield Hyperparameter(name, mark, None, conditions)
            elif isinstance(mark, Each):
                yield Hyperparameter(name, mark.distribution, len(field.default), conditions)


def conditions_of(config_class: type[FrozenConfig], name: str) -> Iterator[OnlyIf]:
    """Yield the condition of a field, then that of the field which the condition names, and so on.

    name: the name of the field, which the config class need not have.
    """
    field = config_class.model_fields.get(name)
    for mark in field.metadata if field is not None else ():
        if isinstance(mark, OnlyIf):
            yield mark
            yield from conditions_of(config_class, mark.field)


def used_values(config: FrozenConfig) -> dict[str, Any]:
    """Return the values of a config by field name, without the fields that the config ignores.

    A field is ignored if one of its conditions (see `OnlyIf`) does not hold. Two configs with
    equal results differ in no value that has an effect.
    """
    values = config.model_dump()
    return {
        name: value
        for name, value in values.items()
        if all(values[c.field] in c.values for c in conditions_of(type(config), name))
    }


def shaping_fields(config_class: type[FrozenConfig]) -> list[str]:
    """Return the names of the fields in which the configs of a pack must agree.

    The fields are all fields of `config_class` without the mark STACKABLE, in order of
    declaration.
    """
    fields = config_class.model_fields
    return [name for name, field in fields.items() if STACKABLE not in field.metadata]
