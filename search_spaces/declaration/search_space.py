"""The search space of one architecture in a study: the searched fields and the fixed values."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from optuna.trial import BaseTrial

from search_spaces.declaration.annotations import Hyperparameter, hyperparameters, shaping_fields
from search_spaces.declaration.frozen_config import build
from search_spaces.declaration.quiet_optuna import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from search_spaces.declaration.training_protocol import TrainingProtocol


@dataclass(frozen=True)
class SearchSpace:
    """A search space of one architecture, which draws configs and translates them for Optuna.

    config_class: the architecture's config class. fixed: the values that the study holds fixed, by
    field name; the value of `architecture` must be one of them. distributions_by_field: the
    distribution of each field that is searched unless it is fixed, by field name; None for the
    distributions that the config class declares. A study names those with which it began, so that
    it goes on in the same space in a later version.
    """

    config_class: type[TrainingProtocol]
    fixed: Mapping[str, Any]
    distributions_by_field: Mapping[str, BaseDistribution] | None = None

    @property
    def architecture(self) -> str:
        """The architecture's name."""
        return str(self.fixed["architecture"])

    @property
    def prefix(self) -> str:
        """The beginning of Optuna's parameter names, such as "simple_cnn.".

        The prefix is needed because two architectures may give a field different ranges.
        """
        return f"{self.architecture}."

    @cached_property
    def hyperparameters(self) -> tuple[Hyperparameter, ...]:
        """The fields that vary and that the study does not hold fixed, in order of declaration."""
        return tuple(h for h in self.free if not h.only_choice)

    @cached_property
    def constants(self) -> Mapping[str, Any]:
        """The values that all configs but the published one share, by field name.

        The fields are those whose distribution has a single choice. A field that the study holds
        fixed is left out.
        """
        return {h.name: h.only_choice[0] for h in self.free if h.only_choice}

    @cached_property
    def free(self) -> tuple[Hyperparameter, ...]:
        """The fields with a distribution that the study does not hold fixed, as declared."""
        free = [h for h in hyperparameters(self.config_class) if h.name not in self.fixed]
        searched = self.distributions_by_field
        if searched is None:
            return tuple(free)
        return tuple(replace(h, distribution=searched[h.name]) for h in free if h.name in searched)

    @cached_property
    def published(self) -> TrainingProtocol:
        """The config of the architecture's defaults, with the fixed values in place.

        A wrong fixed value raises InvalidInput.
        """
        return self.config({})

    @cached_property
    def recommended(self) -> tuple[TrainingProtocol, ...]:
        """The configs that the architecture recommends, in order, with the fixed values in place.

        A study tries the recommended configs after the published config. Each config appears once.
        A config that differs from the published config in `constants` alone is left out, and so is
        a config that sets a field which is neither fixed nor searched, such as a field that an
        older study did not know.
        The tuple is empty if no config is left or if the architecture recommends none. A wrong
        fixed value raises InvalidInput.
        """
        found: list[TrainingProtocol] = []
        as_published = self.config(self.constants)
        decided = self.fixed.keys() | {h.name for h in self.free}
        for values in self.config_class.RECOMMENDED:
            own = {k: v for k, v in values.items() if k not in self.fixed}
            config = self.config({**self.constants, **own})
            if values.keys() <= decided and config not in (as_published, *found):
                found.append(config)
        return tuple(found)

    def config(self, values: Mapping[str, Any]) -> TrainingProtocol:
        """Return the config that has the fixed values and the given values by field name.

        A given value replaces a fixed value. All other fields get their defaults. A wrong value or
        an unknown name raises InvalidInput.
        """
        return build(self.config_class, {**self.fixed, **values})

    def draw(self, trial: BaseTrial, *, published: bool = False) -> TrainingProtocol:
        """Return a config whose searched fields are suggested by an Optuna trial.

        The trial suggests a value for each entry of each searched field (see
        `Hyperparameter.entries`), by the entry's name with the prefix. A field that the values
        drawn before it leave unused is not suggested and keeps its default. Fields that are not
        searched have their fixed values, the values of `constants`, or their defaults. published:
        True leaves `constants` out, as the published config does.

        A suggested value that the config refuses, as a queued trial may have, raises InvalidInput.
        """
        known = {name: field.default for name, field in self.config_class.model_fields.items()}
        drawn: dict[str, Any] = {} if published else dict(self.constants)
        known |= {**self.fixed, **drawn}
        for parameter in self.hyperparameters:
            if not parameter.in_use(known):
                continue
            scalars = [
                _suggested(trial, self.prefix + entry, parameter.distribution)
                for entry in parameter.entries()
            ]
            value = scalars[0] if parameter.length is None else tuple(scalars)
            known[parameter.name] = drawn[parameter.name] = value
        return self.config(drawn)

    def params(self, config: TrainingProtocol) -> dict[str, Any]:
        """Return the values of a config's searched fields by Optuna's names, prefix included.

        A tuple field has one name for each entry. Fields that the config does not use are left
        out. A trial that suggests these values makes `draw` return the config, if all other fields
        of the config have the fixed values, the values of `constants`, or the defaults.
        """
        values = config.model_dump()
        params: dict[str, Any] = {}
        for parameter in self._in_use(config):
            value = values[parameter.name]
            scalars = [value] if parameter.length is None else value
            params |= {self.prefix + n: v for n, v in zip(parameter.entries(), scalars)}
        return params

    def distributions(self, config: TrainingProtocol) -> dict[str, BaseDistribution]:
        """Return the distribution of each entry of `params(config)`, by the same names."""
        return {
            self.prefix + entry: parameter.distribution
            for parameter in self._in_use(config)
            for entry in parameter.entries()
        }

    def shaping_params(self, config: TrainingProtocol) -> dict[str, Any]:
        """Return the entries of `params(config)` in which the configs of a pack must agree."""
        shaping = shaping_fields(self.config_class)
        return {
            name: value
            for name, value in self.params(config).items()
            if name.removeprefix(self.prefix).partition(".")[0] in shaping
        }

    def shaping_configs(self) -> Iterator[tuple[str, TrainingProtocol]]:
        """Yield the published config with one searched field changed, and the field's name.

        The fields are those in which the configs of a pack must agree, because they may shape the
        network. A field of choices takes each choice, a range its lowest and its highest value.
        """
        shaping = shaping_fields(self.config_class)
        for parameter in self.hyperparameters:
            if parameter.name in shaping:
                for value in _ends(parameter.distribution):
                    yield parameter.name, self.config({parameter.name: value})

    def _in_use(self, config: TrainingProtocol) -> list[Hyperparameter]:
        """Return the searched fields that a config uses."""
        values = config.model_dump()
        return [h for h in self.hyperparameters if h.in_use(values)]


def _ends(distribution: BaseDistribution) -> Sequence[Any]:
    """Return all choices of a distribution, or the lowest and the highest number of its range.

    A distribution that is not a float, int or categorical distribution raises TypeError.
    """
    match distribution:
        case CategoricalDistribution(choices=choices):
            return choices
        case FloatDistribution(low=low, high=high) | IntDistribution(low=low, high=high):
            return (low, high)
    raise TypeError(f"no ends of {distribution!r}")


def _suggested(trial: BaseTrial, name: str, distribution: BaseDistribution) -> Any:
    """Return the value that an Optuna trial suggests for the parameter `name`.

    A distribution that is not a float, int or categorical distribution raises TypeError.
    """
    match distribution:
        case FloatDistribution(low=low, high=high, log=log, step=step):
            return trial.suggest_float(name, low, high, log=log, step=step)
        case IntDistribution(low=low, high=high, log=log, step=step):
            return trial.suggest_int(name, low, high, log=log, step=step)
        case CategoricalDistribution(choices=choices):
            return trial.suggest_categorical(name, choices)
    raise TypeError(f"no way to draw {name} from {distribution!r}")


def pack_refusal(configs: Sequence[TrainingProtocol]) -> str | None:
    """Return one line that says why configs cannot be trained as one pack, or None if they can.

    The configs of a pack have one architecture, whose networks can be stacked, and agree in every
    field without the mark STACKABLE. configs: at least one config; IndexError is raised if there
    is none.
    """
    first = configs[0]
    for config in configs:
        if not config.STACKS:
            return f"networks of {config.architecture!r} cannot be trained as a pack"
        if type(config) is not type(first):
            return (
                f"a pack holds one architecture, got {first.architecture!r} "
                f"and {config.architecture!r}"
            )
        for name in shaping_fields(type(first)):
            values = getattr(first, name), getattr(config, name)
            if values[0] != values[1]:
                return f"a pack's configs must agree in {name}, got {values[0]} and {values[1]}"
    return None
