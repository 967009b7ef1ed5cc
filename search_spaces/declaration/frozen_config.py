"""Frozen configs: pydantic models that are checked when built, and their form as YAML."""

import difflib
import inspect
from collections.abc import Iterable, Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from search_spaces.declaration.errors import InvalidInput


class FrozenConfig(BaseModel):
    """A base class of all configs that refuses unknown keys, NaN, infinities and later changes.

    A wrong value at construction, and a later change of a field, raise InvalidInput with a message
    of one line. True and False are refused for a number. The docstring of a subclass also shows
    the docstrings of its fields, for `help`.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True
    )

    def __init__(self, /, **values: Any) -> None:
        """Build the config from values by field name.

        A wrong value, an unknown name or a missing name raises InvalidInput.
        """
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise InvalidInput(_one_line(type(self), error)) from None

    # Without this mark pydantic would also call `__init__` when it validates a mapping.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Add the docstrings of the fields to the docstring of a subclass, before an example."""
        super().__pydantic_init_subclass__(**kwargs)
        fields = [
            f"    {n}: {f.description}" for n, f in cls.model_fields.items() if f.description
        ]
        if fields and "Fields:" not in (cls.__doc__ or ""):
            text, mark, example = inspect.cleandoc(cls.__doc__ or "").partition("Example:\n")
            told = "\n".join([text.rstrip(), "", "Fields:", *fields])
            cls.__doc__ = f"{told}\n\n{mark}{example}" if mark else told

    def __setattr__(self, name: str, value: Any) -> None:
        """Raise InvalidInput, because a config cannot be changed."""
        kind = type(self).__name__
        raise InvalidInput(f"{name} cannot be set, because a {kind} is frozen; make a new one")

    @model_validator(mode="before")
    @classmethod
    def _refuse_truth_values_for_numbers(cls, values: Any) -> Any:
        """Return `values` unchanged, or raise ValueError if a number is given as true or false.

        Pydantic by itself accepts true and false as 1 and 0. values: what pydantic is given,
        usually values by field name. Pydantic turns the ValueError into a ValidationError. The
        entries of a list or tuple are checked too.
        """
        for name, given in values.items() if isinstance(values, Mapping) else ():
            field = cls.model_fields.get(name)
            if field is None or not _is_number(field.annotation):
                continue
            for value in given if isinstance(given, list | tuple) else (given,):
                if isinstance(value, bool):
                    raise ValueError(f"{name}: should be a number, got {value}")
        return values


def _is_number(annotation: Any) -> bool:
    """Return whether an annotation takes numbers or tuples of numbers, or None, nothing else."""
    if get_origin(annotation) is tuple:
        return all(_is_number(part) for part in get_args(annotation) if part is not Ellipsis)
    kinds = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else [annotation]
    bare = {get_args(kind)[0] if get_origin(kind) is Annotated else kind for kind in kinds}
    return bare <= {int, float, NoneType}


Model = TypeVar("Model", bound=FrozenConfig)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return the end of an error message about an unknown name.

    The end is "; did you mean 'NEAREST'?" if difflib finds a known name whose ratio of similarity
    to `name` is at least 0.6, whatever the case of the letters. Otherwise the end is "; there
    are: " with all known names, sorted.
    """
    known = sorted(known)
    folded = {one.casefold(): one for one in known}
    near = difflib.get_close_matches(str(name).casefold(), folded, n=1)
    return f"; did you mean {folded[near[0]]!r}?" if near else f"; there are: {', '.join(known)}"


def _one_line(model: type[FrozenConfig], error: ValidationError) -> str:
    """Return one error of a failed validation as one line that names the key.

    The error is the first unknown key, or else the first wrong value, or else the first missing
    key, because a missing key is often a key that is written wrongly. model: the class that was
    built; its field names are offered for an unknown key.
    """
    order = {"extra_forbidden": 0, "missing": 2}
    first = min(error.errors(), key=lambda one: order.get(one["type"], 1))
    place = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        return f"unknown key {place!r}{did_you_mean(place, model.model_fields)}"
    if first["type"] == "missing":
        return f"{place!r} is missing"
    if not place:  # a check of the whole model; its message names what is wrong
        return message
    given = "" if isinstance(first["input"], Mapping) else f", got {first['input']!r}"
    return f"{place}: {message}{given}"


def build(model: type[Model], values: Mapping[str, Any]) -> Model:
    """Return a config of class `model` with values by field name.

    Fields that are not given get their defaults. A wrong value, an unknown name, or the lack of a
    field without a default raises InvalidInput with one line about the first mistake.
    """
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        raise InvalidInput(_one_line(model, error)) from None


def check_given(model: type[Model], values: Mapping[str, Any]) -> None:
    """Raise InvalidInput for the first mistake in values by field name, however few are given.

    The lack of a field is no mistake here. Checks that need several fields are made only if no
    field without a default is missing.
    """
    try:
        model.model_validate(dict(values))
    except ValidationError as error:
        if any(one["type"] != "missing" for one in error.errors()):
            raise InvalidInput(_one_line(model, error)) from None


def to_yaml(config: FrozenConfig) -> str:
    """Return the config as YAML text with all fields as keys, in the order of declaration.

    `build` makes an equal config from the mapping in the text.
    """
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False)
