"""A submission to the Galaxy Zoo challenge on Kaggle, from a table of predictions."""

from pathlib import Path
from typing import TYPE_CHECKING

from search_spaces.declaration import given_path

if TYPE_CHECKING:
    import pandas as pd


def write_submission(table: "pd.DataFrame", path: str | Path) -> Path:
    """Write predictions as a CSV file that the Galaxy Zoo challenge on Kaggle takes.

    The file has the header ``GalaxyID,Class1.1,...,Class11.6`` and one row for each galaxy, in the
    order of the galaxies' numbers. An older file is replaced.

    Args:
        table: The predictions, as `Model.predict` returns them. The texts in ``id_str`` are whole
            numbers.
        path: The file to write, which ends in ``.csv``. Its folder is made.

    Returns:
        The path of the file.

    Raises:
        InvalidInput: The path does not end in ``.csv``, the table has no row or lacks a column, a
            vote fraction is no finite number, or an id is missing, is no whole number, or occurs
            twice.

    Example:
        >>> import galaxytune
        >>> import numpy as np
        >>> black = np.zeros((2, 64, 64, 3), np.uint8)
        >>> table = galaxytune.load_model("trained").predict(black)
        >>> galaxytune.write_submission(table, "submission.csv").read_text()[:17]
        'GalaxyID,Class1.1'
    """
    from galaxytune.models import as_submission, check_submission_name, write_table

    out = given_path(path)
    check_submission_name(out)
    write_table(as_submission(table), out)
    return out
