"""The ids of a table's rows as texts: every id exactly as it is stored, or a refusal."""

import math
import re
from collections.abc import Sequence
from decimal import Decimal
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd

from search_spaces.declaration import InvalidInput

DOUBLE_EXACT = 2**53  # from here on, two whole numbers may be one float64
# `5.87722981736E+17` or `587722981736120320.0`: a program has read an id as a decimal number.
_LOST_DIGITS = re.compile(r"[+-]?(\d(\.\d+)?[eE]\+\d+|\d{16,}\.0*)")
_REMEDY = "store the ids as texts or as whole numbers"


def ids_as_texts(cells: Sequence[Any], source: str, *, exact: int = DOUBLE_EXACT) -> list[str]:
    """Return the id in each cell as a text, without any change to an id.

    cells: the values of a column. A text stays as it is. Bytes are read as UTF-8. A whole number
    is written without a decimal point, also one that is stored as a decimal number below `exact`.
    source: what the message calls the table. exact: the number below which the column's decimal
    numbers hold every whole number, 2**53 for float64.

    InvalidInput is raised, with the row counted from 1, if an id is missing, has lost digits or is
    neither a text nor a whole number, or if two rows have the same id.
    """
    ids: list[str] = []
    empty = 0
    for row, cell in enumerate(cells, start=1):
        try:
            ids.append(_as_text(cell, exact))
        except InvalidInput as error:
            raise InvalidInput(f"{source}: the id in row {row} {error}") from None
        if not ids[-1].strip() and not empty:
            empty = row
    if empty:  # reported last, because a missing id is what makes a column decimal numbers
        raise InvalidInput(f"{source}: row {empty} has no id")
    _check_unique(ids, source)
    return ids


def _as_text(cell: Any, exact: int) -> str:
    """Return one id as a text, empty if the id is missing; see `ids_as_texts`."""
    if isinstance(cell, str):
        if _LOST_DIGITS.fullmatch(cell):
            raise InvalidInput(f"is {cell!r}, which has lost digits; {_REMEDY}")
        return cell
    if isinstance(cell, bytes):
        try:
            return cell.decode()
        except UnicodeDecodeError:
            raise InvalidInput(f"is {cell!r}, which is no UTF-8 text; {_REMEDY}") from None
    if isinstance(cell, bool | np.bool_):
        raise InvalidInput(f"is {cell}; {_REMEDY}")
    if isinstance(cell, Integral):
        return str(int(cell))
    if cell is None or cell is pd.NA or cell is pd.NaT:
        return ""
    if isinstance(cell, Real | Decimal):
        return _whole(cell, exact)
    raise InvalidInput(f"is of type {type(cell).__name__}; {_REMEDY}")


def _whole(number: Any, exact: int) -> str:
    """Return a decimal number as the text of a whole number, empty if the number is NaN."""
    if math.isnan(number):
        return ""
    if not math.isfinite(number) or number != int(number):
        raise InvalidInput(f"is {number}, which is no whole number; {_REMEDY}")
    if not isinstance(number, Decimal) and abs(number) >= exact:
        raise InvalidInput(
            f"is the decimal number {float(number):.0f}, and ids above {exact:,} cannot be told "
            f"apart as such numbers; {_REMEDY}"
        )
    return str(int(number))


def _check_unique(ids: list[str], source: str) -> None:
    """Raise InvalidInput, which names both rows, if two ids are equal."""
    rows: dict[str, int] = {}
    for row, one in enumerate(ids, start=1):
        if one in rows:
            raise InvalidInput(
                f"{source} has the id {one!r} twice, in rows {rows[one]} and {row}; "
                "keep one of the two"
            )
        rows[one] = row
