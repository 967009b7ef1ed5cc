"""The ids of a table: each is kept exactly, or one line says why it is refused."""

import datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from galaxytune.models.galaxy_ids import ids_as_texts
from search_spaces.declaration import InvalidInput

LONG = 587722981736120347  # of the Sloan survey; a float64 makes ...320 of it


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("587722981736120347", "587722981736120347"),
        ("007", "007"),
        ("100008.0", "100008.0"),
        ("J1234+56", "J1234+56"),
        ("12345e67", "12345e67"),
        ("NA", "NA"),
        (b"abc", "abc"),
        (LONG, "587722981736120347"),
        (np.int64(LONG), "587722981736120347"),
        (np.uint64(2**64 - 1), "18446744073709551615"),
        (100008.0, "100008"),
        (np.float32(100008), "100008"),
        (float(2**53 - 1), "9007199254740991"),
        (Decimal(LONG), "587722981736120347"),
        (Decimal("100008.00"), "100008"),
    ],
    ids=repr,
)
def test_an_id_is_kept_exactly(cell: Any, text: str) -> None:
    assert ids_as_texts([cell], "table") == [text]


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        (float(LONG), "is the decimal number 587722981736120320, and ids above 9,007,199,254"),
        (float(2**53), "cannot be told apart"),
        (0.5, "is 0.5, which is no whole number"),
        (float("inf"), "no whole number"),
        (Decimal("1.5"), "no whole number"),
        ("5.87722981736E+17", "has lost digits"),
        ("587722981736120320.0", "has lost digits"),
        (True, "is True"),
        (np.True_, "is True"),
        (datetime.date(2026, 1, 1), "is of type date"),
        (pd.Timestamp(0), "is of type Timestamp"),
        ([1], "is of type list"),
        ({"a": 1}, "is of type dict"),
        (b"\xff", "no UTF-8 text"),
    ],
    ids=repr,
)
def test_an_id_that_may_have_changed_is_refused(cell: Any, told: str) -> None:
    with pytest.raises(InvalidInput, match="^table: the id in row 2 ") as error:
        ids_as_texts(["1", cell], "table")
    assert told in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("cell", [None, float("nan"), pd.NA, pd.NaT, "", "  ", Decimal("NaN")])
def test_a_missing_id_is_refused_by_its_row(cell: Any) -> None:
    with pytest.raises(InvalidInput, match="^table: row 2 has no id$"):
        ids_as_texts(["1", cell, "3"], "table")


def test_decimal_numbers_are_told_of_before_the_missing_id_that_made_them() -> None:
    with pytest.raises(InvalidInput, match="cannot be told apart"):
        ids_as_texts([float("nan"), float(LONG)], "table")


def test_an_id_that_occurs_twice_is_refused_with_both_rows() -> None:
    with pytest.raises(InvalidInput, match="the id '7' twice, in rows 1 and 3; keep one"):
        ids_as_texts([7, 8, "7"], "table")


def test_numbers_of_fewer_bits_hold_fewer_ids() -> None:
    with pytest.raises(InvalidInput, match="above 16,777,216 cannot be told apart"):
        ids_as_texts([float(2**24)], "table", exact=2**24)
