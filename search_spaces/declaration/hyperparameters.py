"""Reading a config class as a search space, and sampling it define-by-run with Optuna.

A field is searched if its annotation carries an Optuna distribution. `Each` repeats one for
every entry of a tuple; `OnlyIf` says on which value of another field it depends; `STACKABLE`
says that networks which differ in the field can be trained as one.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import BaseTrial

from search_spaces.declaration.frozen_config import FrozenConfig


@dataclass(frozen=True)
class Each:
    """Every entry of a tuple field is drawn from the same distribution."""

    distribution: BaseDistribution


class OnlyIf:
    """The field is used, and searched, only while another field has one of these values."""

    def __init__(self, field: str, *values: Any) -> None:
        """Name of the other field, and the values that it may have."""
        self.field, self.values = field, values


@dataclass(frozen=True)
class Stackable:
    """The field decides no tensor's shape or type: its value may differ within a pack."""


STACKABLE = Stackable()


@dataclass(frozen=True)
class Hyperparameter:
    """A searched field: its name, its distribution, and when it is in use."""

    name: str
    distribution: BaseDistribution
    length: int | None
    condition: OnlyIf | None

    def entries(self) -> list[str]:
        """Names of its scalars: itself, or name.1, name.2, ... for a tuple."""
        if self.length is None:
            return [self.name]
        return [f"{self.name}.{i}" for i in range(1, self.length + 1)]

    def in_use(self, values: Mapping[str, Any]) -> bool:
        """Whether the field that it depends on has a value it needs."""
        return self.condition is None or values[self.condition.field] in self.condition.values


def hyperparameters(config_class: type[FrozenConfig]) -> Iterator[Hyperparameter]:
    """The searched fields of a config class in the order of their declaration."""
    for name, field in config_class.model_fields.items():
        condition = next((m for m in field.metadata if isinstance(m, OnlyIf)), None)
        for mark in field.metadata:
            if isinstance(mark, BaseDistribution):
                yield Hyperparameter(name, mark, None, condition)
            elif isinstance(mark, Each):
                yield Hyperparameter(name, mark.distribution, len(field.default), condition)


def decide_shapes(config_class: type[FrozenConfig]) -> list[str]:
    """Names of the fields in which configs must agree to be trained as one: all not STACKABLE."""
    fields = config_class.model_fields
    return [name for name, field in fields.items() if STACKABLE not in field.metadata]


def _suggest_one(trial: BaseTrial, name: str, distribution: BaseDistribution) -> Any:
    match distribution:
        case FloatDistribution(low=low, high=high, log=log, step=step):
            return trial.suggest_float(name, low, high, log=log, step=step)
        case IntDistribution(low=low, high=high, log=log, step=step):
            return trial.suggest_int(name, low, high, log=log, step=step)
        case CategoricalDistribution(choices=choices):
            return trial.suggest_categorical(name, choices)
    raise TypeError(f"no way to draw {name} from {distribution!r}")


def suggest(
    trial: BaseTrial, config_class: type[FrozenConfig], fixed: Mapping[str, Any], *, prefix: str
) -> dict[str, Any]:
    """Draw every searched field in use that is not `fixed`; returns all values but defaults.

    Optuna knows a field as `prefix` + its name, so that architectures keep their own ranges.
    """
    values = {name: field.default for name, field in config_class.model_fields.items()}
    values |= fixed
    chosen = dict(fixed)
    for parameter in hyperparameters(config_class):
        if parameter.name in fixed or not parameter.in_use(values):
            continue
        drawn = [
            _suggest_one(trial, prefix + entry, parameter.distribution)
            for entry in parameter.entries()
        ]
        value = drawn[0] if parameter.length is None else tuple(drawn)
        values[parameter.name] = chosen[parameter.name] = value
    return chosen


def searched_values(config: FrozenConfig, fixed: Mapping[str, Any], *, prefix: str) -> dict:
    """What `suggest` would have had to draw to arrive at `config`: Optuna name -> value."""
    values = config.model_dump()
    drawn: dict[str, Any] = {}
    for parameter in hyperparameters(type(config)):
        if parameter.name in fixed or not parameter.in_use(values):
            continue
        value = values[parameter.name]
        entries = [value] if parameter.length is None else value
        drawn |= {prefix + name: v for name, v in zip(parameter.entries(), entries)}
    return drawn
