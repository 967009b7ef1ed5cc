"""Catalogs as tables: the columns `id_str` and `file_loc` of CSV, parquet and DataFrames."""

import csv
import gzip
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from galaxytune.models.galaxy_ids import DOUBLE_EXACT, ids_as_texts
from search_spaces.declaration import InvalidInput
from trainables.files import DAMAGE, counted, one_line

COLUMNS = ("id_str", "file_loc")
_SEPARATORS = ",;\t|"
_GZIP = b"\x1f\x8b"
_PARQUET = b"PAR1"
_BYTE_ORDER_MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


@dataclass(frozen=True)
class CatalogTable:
    """The two columns of a catalog of N images.

    ids: the ids [N] as texts, all different. files: the cells [N] of `file_loc` as they are
    stored, texts in most cases; an empty cell may be None, NaN or an empty text.
    """

    ids: list[str]
    files: list[Any]


def read_catalog(path: Path) -> CatalogTable:
    """Return the catalog in a file: parquet, or text with a header line, which may be gzipped.

    A file is parquet if its content is, whatever its name. A text file is UTF-8, or UTF-16 with a
    byte order mark, and its cells are separated by commas, semicolons, tabs or vertical bars. All
    its cells are texts, so that ids keep leading zeros; spaces around a cell are no part of it.

    InvalidInput is raised if the file cannot be read, if a column is missing, if a row has another
    number of cells than the header, or if `ids_as_texts` refuses the ids.
    """
    try:
        with path.open("rb") as file:
            if file.read(4) == _PARQUET:
                return _from_parquet(path)
        content = path.read_bytes()
        if content.startswith(_GZIP):
            content = gzip.decompress(content)
    except InvalidInput:
        raise
    except (*DAMAGE, pa.ArrowException) as error:
        raise InvalidInput(f"{path} cannot be read as a catalog ({one_line(error)})") from None
    return _from_text(path, content)


def table_of(frame: pd.DataFrame, name: str) -> CatalogTable:
    """Return the catalog in a DataFrame; an index that is named `id_str` counts as a column.

    name: what a message calls the DataFrame. InvalidInput as in `read_catalog`.
    """
    named = [level for level in frame.index.names if level in COLUMNS]
    if named:
        frame = frame.reset_index(level=named)
    ids, files = (frame.iloc[:, i] for i in _places(list(frame.columns), name))
    try:
        cells = ids.tolist(), files.tolist()
    except DAMAGE as error:  # pyarrow decodes texts only here
        raise InvalidInput(f"{name} cannot be read as a catalog ({one_line(error)})") from None
    return CatalogTable(ids_as_texts(cells[0], name, exact=_exact(ids.dtype)), cells[1])


def _exact(dtype: Any) -> int:
    """Return the number below which a column's type holds every whole number exactly."""
    dtype = dtype.categories.dtype if isinstance(dtype, pd.CategoricalDtype) else dtype
    stored = getattr(dtype, "numpy_dtype", dtype)  # of pandas' own types
    is_float = isinstance(stored, np.dtype) and stored.kind == "f"
    return int(2 ** (np.finfo(stored).nmant + 1)) if is_float else DOUBLE_EXACT


def _from_parquet(path: Path) -> CatalogTable:
    """Return the catalog in a parquet file; pandas would turn whole numbers into decimals."""
    file = pq.ParquetFile(path)
    names = file.schema_arrow.names
    places = [names[i] for i in _places(names, str(path))]
    table = file.read(columns=places)
    ids, files = (table.column(name) for name in places)
    kind = ids.type.value_type if pa.types.is_dictionary(ids.type) else ids.type
    bits = {16: 11, 32: 24}.get(kind.bit_width, 53) if pa.types.is_floating(kind) else 53
    texts = ids_as_texts(ids.to_pylist(), str(path), exact=2**bits)
    return CatalogTable(texts, files.to_pylist())


def _from_text(path: Path, content: bytes) -> CatalogTable:
    """Return the catalog in the bytes of a text file; see `read_catalog`."""
    text = _decoded(path, content)
    header = next((line for line in text.splitlines() if line.strip()), "")
    if not header:
        raise InvalidInput(f"{path} is empty; a catalog has the columns {' and '.join(COLUMNS)}")
    separator = max(_SEPARATORS, key=header.count)
    lines = csv.reader(
        io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True, strict=True
    )
    rows: list[list[str]] = []
    try:
        for line in lines:
            cells = [cell.strip() for cell in line]
            if any(cells):
                rows.append(_checked(cells, rows[0] if rows else cells, path, lines.line_num))
    except csv.Error as error:
        raise InvalidInput(f"{path} line {lines.line_num}: {error}") from None
    ids, files = _places(rows[0], str(path))
    texts = ids_as_texts([row[ids] for row in rows[1:]], str(path))
    return CatalogTable(texts, [row[files] for row in rows[1:]])


def _decoded(path: Path, content: bytes) -> str:
    """Return the text in a file's bytes; InvalidInput unless it is UTF-8, or marked UTF-16."""
    marked = (code for mark, code in _BYTE_ORDER_MARKS.items() if content.startswith(mark))
    try:
        return content.decode(next(marked, "utf-8"))
    except UnicodeDecodeError:
        raise InvalidInput(
            f"{path} is no parquet file and no UTF-8 text; save the catalog as UTF-8"
        ) from None


def _checked(cells: list[str], header: list[str], path: Path, line: int) -> list[str]:
    """Return the cells of a line, without empty ones beyond the header's; or InvalidInput."""
    while len(cells) > len(header) and not cells[-1]:
        cells.pop()
    if len(cells) != len(header):
        raise InvalidInput(
            f"{path} line {line} has {counted(len(cells), 'cell')}, but the first line names "
            f"{counted(len(header), 'column')}"
        )
    return cells


def _places(names: Sequence[object], source: str) -> list[int]:
    """Return the places of the two columns; InvalidInput if a column is missing or stands twice.

    Upper and lower case, and spaces around a name, do not matter unless a name stands exactly.
    """
    exactly = [str(name) for name in names]
    alike = [name.strip().casefold() for name in exactly]
    found = []
    for wanted in COLUMNS:
        spelled = exactly if wanted in exactly else alike
        if spelled.count(wanted) > 1:
            raise InvalidInput(f"{source} has the column {wanted} twice")
        found.append(spelled.index(wanted) if wanted in spelled else -1)
    missing = [wanted for wanted, place in zip(COLUMNS, found) if place < 0]
    if missing:
        shown = [name[:40] if name.isprintable() else repr(name[:40]) for name in exactly[:8]]
        has = ", ".join(shown) + (", ..." if len(exactly) > 8 else "")
        raise InvalidInput(f"{source} lacks the columns {', '.join(missing)}; it has {has}")
    return found
