"""Kaggle's table of votes: a CSV file, packed or not, in the forms that programs give it."""

import gzip
import io
import re
import zipfile
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd

from search_spaces.declaration import InvalidInput, check_regular
from trainables.decision_tree import COLUMNS
from trainables.files import DAMAGE, one_line
from trainables.galaxies.image_files import IMAGE_SUFFIXES
from trainables.galaxies.image_listing import is_added

_ID = "GalaxyID"
_EXACT_FLOATS = 2**53  # a float64 holds every whole number below


def read_solutions(file: Path) -> pd.DataFrame:
    """Read Kaggle's table of votes from a CSV file, a CSV file in a zip, or a CSV file by gzip.

    Fields are separated by commas, semicolons or tabs; after semicolons and tabs decimals may have
    a comma. The text is UTF-8, UTF-16 with a byte order mark, or Latin-1. Upper and lower case
    and spaces around the names of columns do not matter, and other columns are ignored.

    Return the vote fractions [N, 37] float32 with Kaggle's columns Class1.1 to Class11.6, indexed
    and sorted by GalaxyID. N is 0 if the table has no rows.

    InvalidInput is raised if the file is damaged or not regular, a zip holds no CSV file or
    several, a column is missing or occurs twice, an id is not certain to be exact (see
    `galaxy_ids`), or a vote is missing, not a finite number or outside 0..1 (by more than 1e-6).
    """
    check_regular(file)
    try:
        table = _table(_text(_content(file)))
    except InvalidInput as error:
        raise InvalidInput(f"{file}: {error}") from None
    except DAMAGE as error:
        raise InvalidInput(f"{file} cannot be read ({one_line(error)})") from None
    table.columns = _names(file, [str(name) for name in table.columns])
    try:
        ids = galaxy_ids(table[_ID])
    except InvalidInput as error:
        raise InvalidInput(f"{file}: {error}") from None
    return _votes(file, table.set_index(ids).sort_index())


def _content(file: Path) -> bytes:
    """Return the bytes of the CSV file that a file is or packs.

    InvalidInput is raised if a zip holds no CSV file or several; an error of DAMAGE is raised if
    the file is damaged.
    """
    if file.suffix.lower() == ".gz":
        return gzip.decompress(file.read_bytes())
    if not zipfile.is_zipfile(file) and file.suffix.lower() != ".zip":
        return file.read_bytes()
    with zipfile.ZipFile(file) as archive:
        names = {info: info.filename.replace("\\", "/") for info in archive.infolist()}
        tables = [
            info
            for info, name in names.items()
            if name.lower().endswith((".csv", ".txt", ".tsv"))
            and not any(map(is_added, PurePosixPath(name).parts))
        ]
        if len(tables) != 1:
            found = ", ".join(sorted(names[info] for info in tables)) or "none"
            raise InvalidInput(f"the zip must hold one CSV file; it holds {found}")
        return archive.read(tables[0])


def _text(content: bytes) -> str:
    """Return the text of bytes in UTF-8, UTF-16 with a byte order mark, or Latin-1."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _table(text: str) -> pd.DataFrame:
    """Return the table of a CSV text, with the column of ids as texts.

    An error of DAMAGE is raised if the text is empty or its lines do not fit together.
    """
    text = re.sub(r"\A\s*sep=.\r?\n", "", text)  # a line by which Excel finds the separator
    header, _, rest = text.lstrip().partition("\n")
    separator = max(",;\t", key=header.count)
    first = rest[:10_000]
    decimal_comma = separator != "," and re.search(r"\d,\d", first) and "." not in first
    names = [name.strip().strip('"') for name in header.split(separator)]
    as_text = {name: str for name in names if name.casefold() == _ID.casefold()}
    padded = header.split(separator)
    as_text |= {name: str for name in padded if name.strip().casefold() == _ID.casefold()}
    return pd.read_csv(
        io.StringIO(text),
        sep=separator,
        decimal="," if decimal_comma else ".",
        dtype=as_text,
        low_memory=False,
    )


def _names(file: Path, found: list[str]) -> list[str]:
    """Return the names of the columns as Kaggle writes them; other names stay as they are.

    InvalidInput is raised if one of Kaggle's columns is missing or occurs twice.
    """
    known = {name.casefold(): name for name in (_ID, *COLUMNS)}
    names = [known.get(name.strip().casefold(), name) for name in found]
    missing = [name for name in known.values() if name not in names]
    if len(missing) == len(known):
        raise InvalidInput(f"{file} has none of Kaggle's columns, GalaxyID and Class1.1 to 11.6")
    if missing:
        raise InvalidInput(f"{file} lacks the columns {', '.join(missing)}")
    for name in known.values():
        if names.count(name) > 1:
            raise InvalidInput(f"{file} has the column {name} {names.count(name)} times")
    return names


def galaxy_ids(texts: "pd.Series[Any]") -> "pd.Index[Any]":
    """Return the galaxy ids of a column of texts as an index of int64 with the name GalaxyID.

    An id is a whole number of at least 0, such as `100008`; spaces around it, `.0` behind a number
    below 2**53 and the suffix of an image are allowed.

    InvalidInput, which names the first wrong row, is raised if an id is missing, is not such a
    number, may have lost digits (scientific notation, or `.0` behind a larger number), does not
    fit into int64, or occurs twice. Rows are counted from 1, without the header.
    """
    ids: list[int] = []
    rows: dict[int, int] = {}
    for row, text in enumerate(texts.fillna("").astype(str), start=1):
        galaxy_id = _galaxy_id(text.strip(), row)
        if galaxy_id in rows:
            raise InvalidInput(
                f"names a galaxy twice: {galaxy_id} is in the rows {rows[galaxy_id]} and {row} "
                "(counted from 1 below the header)"
            )
        rows[galaxy_id] = row
        ids.append(galaxy_id)
    return pd.Index(np.array(ids, dtype=np.int64), name=_ID)


def _galaxy_id(text: str, row: int) -> int:
    """Return the galaxy id of a text; InvalidInput, which names the row, if it is not exact."""
    plain = text.lower()
    for suffix in IMAGE_SUFFIXES:
        plain = plain.removesuffix(suffix)
    match = re.fullmatch(r"\+?([0-9]+)(\.0*)?", plain)
    if match is not None:
        number = int(match[1])
        if match[2] is not None and number >= _EXACT_FLOATS:
            why = "went through a floating-point number, which does not keep so many digits"
        elif number > np.iinfo(np.int64).max:
            why = "is larger than int64 can hold"
        else:
            return number
    elif not text:
        why = "is missing"
    elif re.fullmatch(r"[+-]?[0-9]+(\.[0-9]*)?e[+-]?[0-9]+", plain):
        why = "is in scientific notation, which loses digits; export the column as text"
    else:
        why = "is not one; an id must be a whole number in digits, such as 100008"
    named = f" {text!r}" if text else ""
    raise InvalidInput(f"the GalaxyID{named} in row {row} (counted from 1 below the header) {why}")


def _votes(file: Path, table: pd.DataFrame) -> pd.DataFrame:
    """Return the votes [N, 37] float32 of a table; InvalidInput if one is missing or wrong."""
    try:
        votes = table[list(COLUMNS)].astype(np.float32)
    except ValueError as error:
        raise InvalidInput(
            f"{file} holds a value that is not a number ({one_line(error)})"
        ) from None
    incomplete = votes.index[~np.isfinite(votes.to_numpy()).all(axis=1)]
    if len(incomplete):
        raise InvalidInput(f"{file} has no vote in a cell of galaxy {incomplete[0]}")
    outside = votes.index[((votes < 0) | (votes > 1 + 1e-6)).any(axis=1)]
    if len(outside):
        raise InvalidInput(f"{file} has a vote fraction outside 0..1 for galaxy {outside[0]}")
    return votes
