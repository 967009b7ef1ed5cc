"""Predictions in the form in which the Galaxy Zoo challenge on Kaggle takes them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from galaxytune.models.galaxy_ids import ids_as_texts
from search_spaces.declaration import InvalidInput, did_you_mean
from trainables.decision_tree import COLUMNS

GALAXY_ID = "GalaxyID"
_LARGEST_ID = 2**63 - 1  # pandas holds whole numbers in 64 bits


def check_submission_name(out: Path) -> None:
    """Raise InvalidInput unless `out` ends in .csv, in upper or lower case."""
    if out.suffix.lower() != ".csv":
        raise InvalidInput(f"a submission to Kaggle is written as .csv, not {out.name!r}")


def galaxy_numbers(ids: Sequence[str]) -> list[int]:
    """Return ids as the whole numbers that Kaggle's column GalaxyID holds, in the same order.

    InvalidInput is raised if an id is no whole number in decimal digits, or if two ids are the
    same number, such as `7` and `007`.
    """
    texts: dict[int, str] = {}
    for text in ids:
        is_whole = text.isascii() and text.isdecimal()
        if not is_whole or int(text) > _LARGEST_ID:
            raise InvalidInput(
                f"the id {text!r} is no whole number, as Kaggle's GalaxyID is; name each image "
                "after its galaxy, such as 100018.jpg, or give a catalog with such ids"
            )
        number = int(text)
        if number in texts:
            raise InvalidInput(
                f"the ids {texts[number]!r} and {text!r} are both the GalaxyID {number}; "
                "keep one of the two"
            )
        texts[number] = text
    return list(texts)


def as_submission(table: pd.DataFrame) -> pd.DataFrame:
    """Return predictions as a table with the columns of Kaggle's challenge, sorted by galaxy.

    table: one row for each galaxy, with the columns `id_str` and `Class1.1` to `Class11.6`; other
    columns are left out. The returned table has the column `GalaxyID` of whole numbers, and the
    37 vote fractions in Kaggle's order.

    InvalidInput is raised if the table has no row or lacks a column, if a vote fraction is no
    finite number, or if an id is missing, is no whole number, or occurs twice.
    """
    for column in ("id_str", *COLUMNS):
        if column not in table.columns:
            near = did_you_mean(column, [str(name) for name in table.columns])
            raise InvalidInput(f"the predictions lack the column {column!r}{near}")
    if table.empty:
        raise InvalidInput("the predictions hold no galaxy")
    numbers = galaxy_numbers(ids_as_texts(list(table["id_str"]), "the table of predictions"))
    votes = table[list(COLUMNS)].apply(pd.to_numeric, errors="coerce").reset_index(drop=True)
    wrong = np.flatnonzero(~np.isfinite(votes.to_numpy(float)).all(axis=1))
    if len(wrong):
        raise InvalidInput(
            f"the predictions of galaxy {numbers[wrong[0]]} hold a value that is no finite number"
        )
    votes.insert(0, GALAXY_ID, np.array(numbers, dtype=np.int64))
    return votes.sort_values(GALAXY_ID, ignore_index=True)
