"""Whole numbers as a person gives them in Python, where no type is checked before the call."""

import operator
from typing import Any

from search_spaces.declaration.errors import InvalidInput


def check_whole_number(name: str, given: Any, *, at_least: int) -> None:
    """Raise InvalidInput unless a value is a whole number that is large enough.

    name: what the number is, for the message. given: the value; an integer of numpy is a whole
    number, and True, False, a text and 10.0 are none. at_least: the smallest allowed number.
    """
    try:
        is_whole = not isinstance(given, bool) and operator.index(given) is not None
    except TypeError:
        is_whole = False
    if not is_whole:
        raise InvalidInput(f"{name} must be a whole number, got {given!r}")
    if given < at_least:
        raise InvalidInput(f"{name} must be at least {at_least}, got {given}")
