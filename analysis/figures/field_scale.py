"""A searched field as an axis: where its values lie, its ticks and its name in words."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from analysis.hyperparameter_importance import SearchedField

_UNITS = ("degrees", "epochs", "fraction", "pixels")  # last words of a name that are its unit
_MOST_DECADES = 4


@dataclass(frozen=True)
class FieldScale:
    """A field's name in words and where its values lie.

    positions: 0..1 a trial, None where not in use; ticks: position and text of each;
    categorical: whether between two ticks there is nothing.
    """

    label: str
    positions: tuple[float | None, ...]
    ticks: tuple[tuple[float, str], ...]
    categorical: bool = False


def field_label(name: str) -> str:
    """A field's name in words: rotation_degrees -> "Rotation (degrees)"."""
    stem, _, entry = name.partition(".")
    words = stem.split("_")
    text = " ".join(words)
    if len(words) > 1 and words[-1] in _UNITS:
        text = f"{' '.join(words[:-1])} ({words[-1]})"
    text = text[0].upper() + text[1:]
    return f"{text}, no. {entry}" if entry else text


def folded(fields: Sequence[SearchedField]) -> list[SearchedField]:
    """The fields with the entries of each tuple field put together as their geometric mean."""
    result, done = [], set()
    for field in fields:
        whole = field.tuple_field
        if whole is None:
            result.append(field)
        elif whole not in done:
            done.add(whole)
            entries = [f.values for f in fields if f.tuple_field == whole]
            means = tuple(_geometric_mean(values) for values in zip(*entries))
            result.append(replace(field, name=whole + "_(mean)", values=means))
    return result


def _geometric_mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    if not known:
        return None
    if min(known) <= 0:
        return 0.0
    return math.exp(sum(math.log(value) for value in known) / len(known))


def field_scale(field: SearchedField) -> FieldScale:
    """The scale of a field over its declared range, wider where a trial lies outside it."""
    used = [value for value in field.values if value is not None]
    label = field_label(field.name)
    match field.distribution:
        case CategoricalDistribution(choices=choices):
            return _categories(label, field.values, [c for c in choices if c in used], used)
        case (
            FloatDistribution(low=low, high=high, log=log)
            | IntDistribution(low=low, high=high, log=log)
        ):
            if log:
                return _decades(label, field.values, [low, high, *(v for v in used if v > 0)])
            whole = isinstance(field.distribution, IntDistribution)
            return _even(label, field.values, [low, high, *used], whole)
    raise TypeError(f"no way to draw {field.name} from {field.distribution!r}")


def _even(label: str, values: Iterable[Any], reach: list[float], whole: bool) -> FieldScale:
    low, high = min(reach), max(reach)
    ticks: Iterable[float] = (low, (low + high) / 2, high)
    if whole:
        ticks = range(int(low), int(high) + 1, max(1, int(high - low) // 3))
    marks = tuple(((t - low) / (high - low), f"{t:g}") for t in ticks)
    return FieldScale(label, _placed(values, lambda v: (v - low) / (high - low)), marks)


def _placed(values: Iterable[Any], place: Any) -> tuple[float | None, ...]:
    return tuple(None if value is None else float(place(value)) for value in values)


def _categories(
    label: str, values: Iterable[Any], choices: list[Any], used: list[Any]
) -> FieldScale:
    others = [value for value in dict.fromkeys(used) if value not in choices]
    known = choices + others
    step = max(1, len(known) - 1)
    marks = tuple((i / step, _words(choice)) for i, choice in enumerate(known))
    places = _placed(values, lambda v: known.index(v) / step)
    return FieldScale(label, places, marks, categorical=True)


def _words(choice: Any) -> str:
    if isinstance(choice, bool):
        return "yes" if choice else "no"
    return f"{choice:g}" if isinstance(choice, int | float) else str(choice).replace("_", " ")


def _decades(label: str, values: Iterable[Any], reach: list[float]) -> FieldScale:
    """A logarithmic scale over `reach`; what is not positive stands at its lower end."""
    low, high = math.log10(min(reach)), math.log10(max(reach))

    def place(value: float) -> float:
        return 0.0 if value <= 0 else (math.log10(value) - low) / (high - low)

    powers = range(math.ceil(low - 1e-9), math.floor(high + 1e-9) + 1)
    powers = powers[:: max(1, math.ceil(len(powers) / (_MOST_DECADES + 1)))]
    marks = tuple(((p - low) / (high - low), f"$10^{{{p}}}$") for p in powers)
    if len(marks) < 2:
        marks = ((0.0, f"{10**low:.2g}"), (1.0, f"{10**high:.2g}"))
    return FieldScale(label, _placed(values, place), marks)
