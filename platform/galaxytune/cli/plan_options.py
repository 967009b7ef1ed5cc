"""The options of a command that are made from the fields of StudyPlan.

Every key of a plan is declared only once, as a field of StudyPlan. The key's option, and the
option's help and default, are made from the field, without loading Optuna or torch.
"""

import functools
import inspect
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import typer
from pydantic.fields import FieldInfo

from galaxytune.plan import StudyPlan, check_unfinished, make_plan, needs_epochs, plan_values
from search_spaces.declaration import InvalidInput, yaml_value

_SINGULAR = {"architectures": "architecture"}  # each use of the option gives one name
_METAVARS = {
    "name": "NAME",
    "architectures": "NAME",
    "data": "FILE",
    "trials": "N",
    "epochs": "N",
    "set": "KEY=VALUE",
    "search_only": "NAME",
    "learn_from": "STUDY",
    "grid": "KEY=[VALUE,...]",
    "pack": "auto|off|N",
}
_DEFAULTS = {
    "epochs": "the published number with --as-published; else a search needs this number, here, "
    "in the plan file or in the grid",
    "wandb": "the mode of W&B's own settings, else online if there is an API key, else offline",
}


def takes_plan_keys(
    keys: Iterable[str], *, default: str = ""
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator that gives a command one option for each of these keys of a plan.

    keys: names of fields of StudyPlan; another name raises KeyError. default: the text that the
    help of all options shows as their default; empty for each key's own default.

    The decorator takes the command's function, which must have the keyword argument `changes`, and
    returns the function for Typer. Typer's function has the options in place of `changes`, after
    the command's arguments and before its other options. The command's function receives in
    `changes` the keys that were given, with their values; {} if none was given.
    """
    names = list(keys)
    options = [_parameter(key, StudyPlan.model_fields[key], default) for key in names]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(command, eval_str=True)
        own = [p for p in signature.parameters.values() if p.name != "changes"]

        @functools.wraps(command)
        def with_options(**given: Any) -> None:
            told = {name: given.pop(name) for name in names}
            command(**given, changes=_values(told))

        arguments = [p for p in own if p.default is inspect.Parameter.empty or _is_argument(p)]
        others = [p.replace(kind=p.KEYWORD_ONLY) for p in own if p not in arguments]
        parameters = [*arguments, *options, *others]
        with_options.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        with_options.__annotations__ = {p.name: p.annotation for p in parameters}
        del with_options.__wrapped__  # or typer would read the signature of `command`
        return with_options

    return decorate


def _is_argument(parameter: inspect.Parameter) -> bool:
    """Return whether a command's parameter is marked as typer.Argument."""
    marks = get_args(parameter.annotation)[1:]
    return any(isinstance(mark, typer.models.ArgumentInfo) for mark in marks)


def _parameter(key: str, field: FieldInfo, default: str) -> inspect.Parameter:
    """Return the parameter of a command that stands for a key's option.

    The parameter is None if the option is not given. field: the key's field of StudyPlan. default:
    see `takes_plan_keys`.
    """
    kind = _option_type(field.annotation)
    flag = f"--{_SINGULAR.get(key, key).replace('_', '-')}"
    name = f"{flag}/--no-{flag.removeprefix('--')}" if kind is bool else flag
    option = typer.Option(
        name, help=_help(key, field, kind, default), metavar=_metavar(key, field, kind)
    )
    return inspect.Parameter(
        key,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[kind | None, option],
    )


def _option_type(annotation: Any) -> Any:
    """Return the type of a field's option: str, int, float, bool or list[str].

    annotation: the type of the field. The option of a tuple or a mapping takes a list of texts,
    and the option of a field that may have values of several types takes a text.
    """
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _option_type(arguments[0])
    if origin in (Union, types.UnionType):
        kinds = [_option_type(kind) for kind in arguments if kind is not type(None)]
        return kinds[0] if len(set(kinds)) == 1 else str
    if origin in (tuple, dict):
        return list[str]
    return str if origin is Literal else annotation


def _metavar(key: str, field: FieldInfo, kind: Any) -> str | None:
    """Return the word that stands for an option's value in the help; None for a flag.

    kind: what `_option_type` returns for the field. The word is `N` for a number, and the choices
    joined by | for a field with fixed choices.
    """
    if get_origin(field.annotation) is Literal:
        return "|".join(get_args(field.annotation))
    if kind in (int, float):
        return "N"
    return None if kind is bool else _METAVARS.get(key, "TEXT")


def _help(key: str, field: FieldInfo, kind: Any, told: str) -> str:
    """Return the help of a key's option: the field's docstring, and the default if there is one.

    kind: what `_option_type` returns for the field. told: the default as text; empty for the
    field's own default.
    """
    text = str(field.description)
    if get_origin(kind) is list:
        text += " The option may be repeated."
    default, told = field.default, told or _DEFAULTS.get(key, "")
    if not told and isinstance(default, bool):
        told = f"--{key.replace('_', '-')}" if default else ""
    elif not told and isinstance(default, (int, float, str)):
        told = f"{default:g}" if isinstance(default, float) else str(default)
    return f"{text} Default: {told}." if told else text


def _values(told: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys that were given, with their values; {} if no option was given.

    told: the value of each key's option, None or [] if the option was not given. The texts of
    `set` and `grid` become mappings, as `parse_settings` reads them; a wrong text raises
    InvalidInput.
    """
    given = {key: value for key, value in told.items() if value is not None and value != []}
    for key in ("set", "grid"):
        if key in given:
            given[key] = parse_settings(given[key], f"--{key}")
    return given


def parse_settings(settings: Iterable[str], option: str = "--set") -> dict[str, Any]:
    """Return values by key from texts such as `learning_rate=3e-4`.

    The text after the first `=` is read as YAML. option: the option's name for messages. A text
    without `=` or without a key, a key that comes twice, or a value that is not YAML, raises
    InvalidInput. {} is returned if there is no text.
    """
    values: dict[str, Any] = {}
    for setting in settings:
        key, separator, text = setting.partition("=")
        if not separator or not key:
            raise InvalidInput(f"{option} takes key=value, got {setting!r}")
        if key in values:
            raise InvalidInput(f"{option} {key} stands twice; leave one out")
        try:
            values[key] = yaml_value(text)
        except InvalidInput as error:
            raise InvalidInput(f"{option} {key}: {error}") from None
    return values


def plan_from_options(
    plan_file: Path | None, changes: Mapping[str, Any], *, default_name: str | None = None
) -> StudyPlan:
    """Return the plan of a file, with the options that were given in place of the file's keys.

    plan_file: None for no file. changes: the options that were given, by key; `set` is merged into
    the file's `set`, key by key. default_name: the name of a plan that has no name; None if a name
    is required. If neither has the key `wandb`, `default_wandb_mode` decides. A missing file, an
    unknown key, a wrong value or a missing key raises InvalidInput; a key is told as missing only
    if the others are right.
    """
    from galaxytune.tracking import default_wandb_mode

    values = plan_values(plan_file, changes)
    if default_name is not None:
        values.setdefault("name", default_name)
    missing = [key for key in _needed(values) if key not in values]
    if missing:
        check_unfinished(values, missing)
        shown = ", ".join(map(_shown, missing))
        raise InvalidInput(f"a search needs {shown} (or a plan file that says so)")
    plan = make_plan(values)
    return plan if "wandb" in values else plan.model_copy(update={"wandb": default_wandb_mode()})


def _needed(values: Mapping[str, Any]) -> Sequence[str]:
    """Return the keys that a plan must have.

    values: the plan's keys and values so far. A grid makes `trials` unnecessary; see
    `needs_epochs` for `epochs`.
    """
    fields = StudyPlan.model_fields.items()
    needed = [name for name, field in fields if field.is_required()]
    if values.get("grid"):
        needed.remove("trials")
    return [*needed, "epochs"] if needs_epochs(values) else needed


def _shown(key: str) -> str:
    """Return a key that a plan must have as its option, such as `--trials N`."""
    return f"--{_SINGULAR.get(key, key)} {_METAVARS[key]}"
