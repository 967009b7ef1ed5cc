"""Catalogs of many kinds of files: read as the user meant, or refused in one line."""

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from galaxytune.models.catalog_tables import read_catalog, table_of
from search_spaces.declaration import InvalidInput

LONG = [587722981736120347, 587722981736120579]
PLAIN = "id_str,file_loc\n07,a.png\n8,b c.png\n"
READ: dict[str, bytes] = {
    "commas": PLAIN.encode(),
    "semicolons": PLAIN.replace(",", ";").encode(),
    "tabs": PLAIN.replace(",", "\t").encode(),
    "vertical bars": PLAIN.replace(",", "|").encode(),
    "a byte order mark": PLAIN.encode("utf-8-sig"),
    "UTF-16": PLAIN.encode("utf-16"),
    "lines of Windows": PLAIN.replace("\n", "\r\n").encode(),
    "gzip": gzip.compress(PLAIN.encode()),
    "quotes": b'"id_str","file_loc"\n"07","a.png"\n"8","b c.png"\n',
    "spaces and capitals": b"ID_str , File_Loc\n07, a.png\n8 ,b c.png\n",
    "empty lines": b"\n" + PLAIN.replace("\n", "\n\n").encode(),
    "a separator at the ends": b"id_str,file_loc\n07,a.png,\n8,b c.png,\n",
    "an index": b",id_str,x,file_loc\n0,07,1,a.png\n1,8,1,b c.png\n",
    "spaces before": b"id_str,file_loc\n 07,a.png\n8,b c.png",
}


@pytest.mark.parametrize("kind", READ)
def test_a_text_is_read_as_its_author_meant(kind: str, tmp_path: Path) -> None:
    (tmp_path / "catalog.csv").write_bytes(READ[kind])
    found = read_catalog(tmp_path / "catalog.csv")
    assert (found.ids, found.files) == (["07", "8"], ["a.png", "b c.png"])


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty; a catalog has the columns id_str and file_loc"),
        (b" \n\n", "is empty"),
        (b"a.jpg\nb.jpg\n", "lacks the columns id_str, file_loc; it has a.jpg"),
        (b"id,file_loc\n1,a\n", "lacks the columns id_str; it has id, file_loc"),
        (b"ID_STR,Id_str,file_loc\n", "has the column id_str twice"),
        (b"id_str,file_loc\n1,a.png\n2,b,c.png\n", "line 3 has 3 cells, but the first line nam"),
        (b"id_str,file_loc\n1\n", "line 2 has 1 cell,"),
        (b'id_str,file_loc\n1,"a.png\n', "line 2: unexpected end of data"),
        (b"id_str,file_loc\n1,\xe9.png\n", "no UTF-8 text; save the catalog as UTF-8"),
        (b"PAR1 is no parquet", "cannot be read as a catalog"),
        (b"\x1f\x8b no gzip", "cannot be read as a catalog"),
        (b"id_str,file_loc\n1,a\n1,b\n", "has the id '1' twice, in rows 1 and 2"),
        (b"id_str,file_loc\n5.87723E+17,a\n", "the id in row 1 is '5.87723E+17', which has lost"),
    ],
)
def test_a_text_that_is_no_catalog_is_refused(content: bytes, told: str, tmp_path: Path) -> None:
    (tmp_path / "catalog.csv").write_bytes(content)
    with pytest.raises(InvalidInput) as error:
        read_catalog(tmp_path / "catalog.csv")
    assert told in str(error.value) and "catalog.csv" in str(error.value)
    assert "\n" not in str(error.value)


def columns(ids: pa.Array) -> pa.Table:
    return pa.table({"id_str": ids, "file_loc": ["a.png", "b.png"]})


TYPES: dict[str, pa.Array] = {
    "whole numbers": pa.array(LONG),
    "unsigned": pa.array(LONG, pa.uint64()),
    "texts": pa.array(list(map(str, LONG))),
    "bytes": pa.array([str(i).encode() for i in LONG]),
    "categories": pa.array(list(map(str, LONG))).dictionary_encode(),
    "categories of numbers": pa.array(LONG).dictionary_encode(),
    "decimals": pa.array(LONG, pa.int64()).cast(pa.decimal128(38, 0)),
}


@pytest.mark.parametrize("kind", TYPES)
def test_parquet_keeps_every_id_exactly(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "x=1" / "catalog.csv"  # of a partition, and of a wrong suffix
    path.parent.mkdir()
    pq.write_table(columns(TYPES[kind]), path)
    assert read_catalog(path).ids == list(map(str, LONG))
    frame = pq.read_table(path, partitioning=None).to_pandas()
    assert table_of(frame, "the DataFrame").ids == list(map(str, LONG))


@pytest.mark.parametrize(
    ("ids", "told"),
    [
        (pa.array([LONG[0], None]), "row 2 has no id"),
        (pa.array([float(i) for i in LONG]), "cannot be told apart"),
        (pa.array([1.0, 2.0**24], pa.float32()), "above 16,777,216 cannot be told apart"),
        (pa.array([np.float16(1), np.float16(2048)], pa.float16()), "above 2,048"),
        (pa.array([[1], [2]]), "is of type list"),
        (pa.array([1, 2], pa.timestamp("s")), "is of type "),
    ],
)
def test_parquet_that_may_have_changed_ids_is_refused(
    ids: pa.Array, told: str, tmp_path: Path
) -> None:
    pq.write_table(columns(ids), tmp_path / "catalog.parquet")
    with pytest.raises(InvalidInput) as error:
        read_catalog(tmp_path / "catalog.parquet")
    assert told in str(error.value)


FRAMES: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "as it is": lambda frame: frame,
    "index": lambda frame: frame.set_index("id_str"),
    "nullable": lambda frame: frame.astype({"id_str": "Int64"}),
    "objects": lambda frame: frame.astype(object),
    "categories": lambda frame: frame.astype("category"),
    "arrow": lambda frame: frame.convert_dtypes(dtype_backend="pyarrow"),
}


@pytest.mark.parametrize("kind", FRAMES)
def test_a_dataframe_keeps_every_id_exactly(kind: str) -> None:
    frame = FRAMES[kind](pd.DataFrame({"id_str": LONG, "file_loc": ["a.png", "b.png"]}))
    found = table_of(frame, "the DataFrame")
    assert (found.ids, found.files) == (list(map(str, LONG)), ["a.png", "b.png"])


@pytest.mark.parametrize("kind", ["float64", "Float64", "float32", "double[pyarrow]"])
def test_a_dataframe_of_decimal_numbers_is_refused_above_what_they_hold(kind: str) -> None:
    frame = pd.DataFrame({"id_str": [100008, 2**24 + 2], "file_loc": ["a.png", "b.png"]})
    if kind == "float32":
        with pytest.raises(InvalidInput, match="above 16,777,216"):
            table_of(frame.astype({"id_str": kind}), "the DataFrame")
    else:
        assert table_of(frame.astype({"id_str": kind}), "x").ids == ["100008", "16777218"]
        frame["id_str"] = list(map(float, LONG))
        with pytest.raises(InvalidInput, match="cannot be told apart"):
            table_of(frame.astype({"id_str": kind}), "the DataFrame")
