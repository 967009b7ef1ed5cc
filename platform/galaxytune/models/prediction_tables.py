"""Tables of predictions as files: checked before the work, and written somewhere in any case."""

import tempfile
from pathlib import Path

import pandas as pd

from search_spaces.declaration import InvalidInput, WorkFailed
from trainables.files import one_line, write_atomically, writing_to_a_given_place

_SUFFIXES = (".csv", ".parquet")


def check_table_name(out: Path) -> None:
    """Raise InvalidInput unless `out` ends in .csv or .parquet, in upper or lower case."""
    if out.suffix.lower() not in _SUFFIXES:
        raise InvalidInput(f"predictions are written as .csv or .parquet, not {out.name!r}")


def write_table(table: pd.DataFrame, out: Path) -> None:
    """Write predictions to `out` as CSV or parquet, as the suffix of `out` requires.

    The file is replaced in one step, and its folder is made. A CSV is UTF-8 and has six decimals.
    Another suffix raises InvalidInput. OSError is raised if the file cannot be written.
    """
    check_table_name(out)
    if out.suffix.lower() == ".parquet":
        write_atomically(out, lambda path: table.to_parquet(path, index=False))
    else:
        write_atomically(
            out,
            lambda path: table.to_csv(path, index=False, float_format="%.6f", encoding="utf-8"),
        )


def write_table_somewhere(table: pd.DataFrame, out: Path) -> None:
    """Write predictions to `out`; if the place refuses, write them to a temporary folder.

    WorkFailed, which names the place of the predictions, is raised if they do not stand at `out`.
    If they cannot be written anywhere, the error is that of `out`: InvalidInput if another path
    would do, or OSError.
    """
    try:
        with writing_to_a_given_place():
            write_table(table, out)
    except (OSError, InvalidInput) as error:
        try:
            folder = Path(tempfile.mkdtemp(prefix="galaxytune-predictions-"))
            write_table(table, folder / f"predictions{out.suffix}")
        except OSError:
            raise error from None
        raise WorkFailed(
            f"{out} cannot be written ({one_line(error)}); the predictions are in "
            f"{folder / f'predictions{out.suffix}'}"
        ) from None
