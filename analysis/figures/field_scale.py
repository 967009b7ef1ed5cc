"""The axis of a searched field: positions of the values, ticks, and the name in words."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from analysis.statistics import SearchedField

_UNITS = ("degrees", "epochs", "fraction", "pixels")  # a last word of a name that is its unit
_MOST_DECADES = 4  # with more decades, some powers of ten have no tick


@dataclass(frozen=True)
class FieldScale:
    """An axis for one searched field, on which positions go from 0 to 1.

    label: name of the field in words.
    positions: position of each trial's value, in 0..1, in the order of the trials. None for a
    trial that did not use the field.
    ticks: position, in 0..1, and text of each tick.
    categorical: True if the field has categories, one at each tick, and no values between ticks.
    """

    label: str
    positions: tuple[float | None, ...]
    ticks: tuple[tuple[float, str], ...]
    categorical: bool = False


def field_label(name: str) -> str:
    """Return the name of a field in words, for example "Rotation (degrees)".

    name: name of the field, for example "rotation_degrees". A last word that is a unit (degrees,
    epochs, fraction, pixels) is put in brackets. An entry of a tuple field, FIELD.2, gets
    ", no. 2" at the end.
    """
    stem, _, entry = name.partition(".")
    words = stem.split("_")
    text = " ".join(words)
    if len(words) > 1 and words[-1] in _UNITS:
        text = f"{' '.join(words[:-1])} ({words[-1]})"
    text = text[0].upper() + text[1:]
    return f"{text}, no. {entry}" if entry else text


def folded(fields: Sequence[SearchedField]) -> list[SearchedField]:
    """Return the fields with all entries of a tuple field joined to a single field.

    The single field stands in the place of its first entry and has the entry's distribution. The
    value for a trial is the geometric mean of the entries in `fields`: 0 if an entry is 0 or less,
    None if the trial did not use the tuple field. The name of the single field ends in "_(mean)".
    """
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
    """Return the geometric mean of all values that are not None.

    The result is None if there is no such value, and 0 if a value is 0 or less.
    """
    known = [value for value in values if value is not None]
    if not known:
        return None
    if min(known) <= 0:
        return 0.0
    return math.exp(sum(math.log(value) for value in known) / len(known))


def field_scale(field: SearchedField) -> FieldScale:
    """Return the axis of a field over its declared range.

    The axis of numbers is longer than the declared range if a trial has a value outside the range;
    on a logarithmic axis a value of 0 or less is at the lower end. The axis of categories has only
    the categories that a trial used. TypeError is raised for a distribution that is not
    categorical, float or int.
    """
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
    """Return a linear axis.

    values: value of each trial, or None. reach: values that the axis must contain, at least two
    different. whole: True if the field has whole numbers only, so that the ticks are whole.
    """
    low, high = min(reach), max(reach)
    ticks: Iterable[float] = (low, (low + high) / 2, high)
    if whole:
        ticks = range(int(low), int(high) + 1, max(1, int(high - low) // 3))
    marks = tuple(((t - low) / (high - low), f"{t:g}") for t in ticks)
    return FieldScale(label, _placed(values, lambda v: (v - low) / (high - low)), marks)


def _placed(values: Iterable[Any], place: Any) -> tuple[float | None, ...]:
    """Return the position `place(value)` of each value as a float, and None for None."""
    return tuple(None if value is None else float(place(value)) for value in values)


def _categories(
    label: str, values: Iterable[Any], choices: list[Any], used: list[Any]
) -> FieldScale:
    """Return an axis with one tick per category.

    values: value of each trial, or None. choices: declared categories that a trial used, in their
    declared order. used: all values that are not None. Categories that are not declared follow at
    the end.
    """
    others = [value for value in dict.fromkeys(used) if value not in choices]
    known = choices + others
    step = max(1, len(known) - 1)
    marks = tuple((i / step, _words(choice)) for i, choice in enumerate(known))
    places = _placed(values, lambda v: known.index(v) / step)
    return FieldScale(label, places, marks, categorical=True)


def _words(choice: Any) -> str:
    """Return a category as a text: "yes" or "no", a number, or a name without underscores."""
    if isinstance(choice, bool):
        return "yes" if choice else "no"
    return f"{choice:g}" if isinstance(choice, int | float) else str(choice).replace("_", " ")


def _decades(label: str, values: Iterable[Any], reach: list[float]) -> FieldScale:
    """Return a logarithmic axis with ticks at some powers of ten.

    values: value of each trial, or None; a value of 0 or less is at the lower end. reach: positive
    values that the axis must contain, at least two different. If fewer than two powers of ten are
    in reach, both ends have ticks instead.
    """
    low, high = math.log10(min(reach)), math.log10(max(reach))

    def place(value: float) -> float:
        """Return the position of a value in 0..1."""
        return 0.0 if value <= 0 else (math.log10(value) - low) / (high - low)

    powers = range(math.ceil(low - 1e-9), math.floor(high + 1e-9) + 1)
    powers = powers[:: max(1, math.ceil(len(powers) / (_MOST_DECADES + 1)))]
    marks = tuple(((p - low) / (high - low), f"$10^{{{p}}}$") for p in powers)
    if len(marks) < 2:
        marks = ((0.0, f"{10**low:.2g}"), (1.0, f"{10**high:.2g}"))
    return FieldScale(label, _placed(values, place), marks)
