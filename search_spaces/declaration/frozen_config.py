"""Frozen configs: built once, checked, printed to YAML and read back."""

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError


class FrozenConfig(BaseModel):
    """Base of all configs: no unknown key, no change after construction, no NaN."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


Model = TypeVar("Model", bound=FrozenConfig)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of an error about an unknown name: the nearest known one, or all of them."""
    known = sorted(known)
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; there are: {', '.join(known)}"


def _one_line(model: type[FrozenConfig], error: ValidationError) -> str:
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"]) or model.__name__
    if first["type"] == "extra_forbidden":
        return f"unknown key {place!r}{did_you_mean(place, model.model_fields)}"
    if first["type"] == "missing":
        return f"{place!r} is missing"
    given = "" if isinstance(first["input"], Mapping) else f", got {first['input']!r}"
    return f"{place}: {first['msg'].removeprefix('Value error, ')}{given}"


def build(model: type[Model], values: Mapping[str, Any]) -> Model:
    """Construct `model` from `values`; a ValueError says in one line what is wrong."""
    for name, value in values.items():
        field = model.model_fields.get(name)
        if isinstance(value, bool) and field is not None and field.annotation in (int, float):
            raise ValueError(f"{name}: should be a number, got {value}")
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        raise ValueError(_one_line(model, error)) from None


def parse_settings(settings: Iterable[str]) -> dict[str, Any]:
    """Turn `["learning_rate=3e-4"]` into values; what follows `=` is read as YAML."""
    values: dict[str, Any] = {}
    for setting in settings:
        key, separator, text = setting.partition("=")
        if not separator or not key:
            raise ValueError(f"--set takes key=value, got {setting!r}")
        try:
            values[key] = yaml.safe_load(text)
        except yaml.YAMLError:
            raise ValueError(f"--set {key}: {text!r} is not a value") from None
    return values


def to_yaml(config: FrozenConfig) -> str:
    """The config as YAML, keys in the order of their declaration."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False)


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping that a YAML file holds; ValueError in one line if it holds anything else."""
    try:
        values = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        raise ValueError(f"no file {path}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from None
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(values, dict):
        raise ValueError(f"{path} must hold keys and values, it holds {type(values).__name__}")
    return values
