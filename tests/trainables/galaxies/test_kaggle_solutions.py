"""Kaggle's table of votes: read in every form that programs give it, ids exact or refused."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from search_spaces.declaration import InvalidInput
from tests.support.kaggle import IDS, csv_of, packed, put, votes_of
from trainables.decision_tree import COLUMNS
from trainables.galaxies.kaggle_solutions import read_solutions

CSV = csv_of(votes_of())
SDSS = 587722981736120347  # above 2**53, so float64 does not keep the id
WINDOWS = CSV.replace(b"\n", b"\r\n")
SEMICOLONS = CSV.replace(b",", b";")


def german() -> bytes:
    """Semicolons, and commas in the numbers but not in the names of the columns."""
    header, *rows = SEMICOLONS.split(b"\n")
    return b"\n".join([header, *(row.replace(b".", b",") for row in rows)])


FORMS = {
    "s.csv": CSV,
    "bom.csv": b"\xef\xbb\xbf" + CSV,
    "windows.csv": WINDOWS,
    "semicolons.csv": SEMICOLONS,
    "german.csv": german(),
    "excel.csv": b"sep=;\r\n" + SEMICOLONS,
    "blank.csv": CSV + b"\n   \n\n",
    "index.csv": votes_of().to_csv().encode(),
    "r.csv": votes_of().to_csv().encode()[1:],  # R writes no name for the column of row names
    "tabs.csv": CSV.replace(b",", b"\t"),
    "utf16.csv": CSV.decode().encode("utf-16"),
    "latin1.csv": CSV.replace(b"\n", b",note\n", 1).replace(b"\n1", b",\xe9\n1"),
    "capitals.csv": CSV.replace(b"GalaxyID", b"galaxyid").replace(b",Class2", b", CLASS2"),
    "quoted.csv": CSV.replace(b"GalaxyID", b'"GalaxyID"'),
    "spaces.csv": CSV.replace(b"\n1", b"\n 1"),
    "floats.csv": CSV.replace(b"100023,", b"100023.0,").replace(b"100008,", b"100008.,"),
    "names.csv": CSV.replace(b"100023,", b"100023.jpg,").replace(b"200001,", b"200001.JPG,"),
    "packed.csv.gz": gzip.compress(CSV),
    "packed.zip": packed({"training_solutions_rev1.csv": CSV}),
    "packed.csv.zip": packed({"a\\b.CSV": CSV, "__MACOSX/a/._b.csv": b"x", "read.me": b"x"}),
}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_gives_the_same_votes(name: str, tmp_path: Path) -> None:
    votes = read_solutions(put(tmp_path, {name: FORMS[name]}) / name)
    expected = votes_of().set_index("GalaxyID").sort_index()
    assert votes.index.dtype == np.int64 and votes.index.tolist() == sorted(IDS)
    np.testing.assert_array_equal(votes, expected.to_numpy(np.float32))


def test_columns_are_found_by_name_whatever_their_order(tmp_path: Path) -> None:
    shuffled = votes_of()[["Class5.2", "GalaxyID", *sorted(set(COLUMNS) - {"Class5.2"})]]
    files = {"a.csv": CSV, "b.csv": csv_of(shuffled.assign(extra="x"))}
    put(tmp_path, files)
    one, other = (read_solutions(tmp_path / name) for name in files)
    pd.testing.assert_frame_equal(one, other)


def refusal(folder: Path, content: bytes, name: str = "s.csv") -> str:
    """Return the one line by which a file is refused, without the file's path."""
    path = put(folder, {name: content}) / name
    with pytest.raises(InvalidInput) as error:
        read_solutions(path)
    told = str(error.value)
    assert "\n" not in told and str(path) in told
    return told.replace(str(path), "")


def test_large_ids_are_kept_digit_by_digit(tmp_path: Path) -> None:
    ids = [SDSS, SDSS + 1, SDSS + 2]  # float64 makes one number of the three
    table = votes_of([1, 2, 3]).assign(GalaxyID=ids)
    votes = read_solutions(put(tmp_path, {"s.csv": csv_of(table)}) / "s.csv")
    assert votes.index.tolist() == ids


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f"{SDSS}.0", "floating-point number, which does not keep so many digits"),
        ("5.87723E+17", "scientific notation, which loses digits"),
        ("1e5", "scientific notation, which loses digits"),
        ("1.00008E+05", "scientific notation, which loses digits"),
        ("", "is missing"),
        ("NaN", "is missing"),
        ('"100,008"', "must be a whole number in digits, such as 100008"),
        ("100 008", "must be a whole number in digits, such as 100008"),
        ("-100008", "must be a whole number in digits"),
        ("100008.5", "must be a whole number in digits"),
        ("J1234", "must be a whole number in digits"),
        ("²", "must be a whole number in digits"),
        ("9223372036854775808", "larger than int64"),
        ("100023", "names a galaxy twice: 100023 is in the rows 1 and 2"),
        ("0100023", "names a galaxy twice: 100023 is in the rows 1 and 2"),
    ],
)
def test_an_id_that_may_have_changed_is_refused_with_its_row(
    text: str, told: str, tmp_path: Path
) -> None:
    found = refusal(tmp_path, CSV.replace(b"100008", text.encode()))
    assert told in found
    if "twice" not in told:
        assert "row 2 (counted from 1 below the header)" in found


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        ("x", "holds a value that is not a number"),
        ("", "has no vote in a cell of galaxy 7"),
        ("inf", "has no vote in a cell of galaxy 7"),
        ("1.5", "has a vote fraction outside 0..1 for galaxy 7"),
    ],
)
def test_a_vote_that_is_no_fraction_is_named(cell: str, told: str, tmp_path: Path) -> None:
    table = votes_of([7]).astype(object)
    table.iloc[0, -1] = cell
    assert told in refusal(tmp_path, csv_of(table))


def test_missing_and_repeated_columns_are_named(tmp_path: Path) -> None:
    table = votes_of()
    lacking = csv_of(table.drop(columns=["Class3.1", "GalaxyID"]))
    assert "lacks the columns GalaxyID, Class3.1" in refusal(tmp_path, lacking)
    assert "has none of Kaggle's columns" in refusal(tmp_path, b"a,b\n1,2\n")
    twice = csv_of(table.assign(**{"class3.1": 0.5}))
    assert "has the column Class3.1 2 times" in refusal(tmp_path, twice)


def test_a_zip_must_hold_one_table(tmp_path: Path) -> None:
    two = packed({"a.csv": CSV, "b.csv": CSV})
    assert "it holds a.csv, b.csv" in refusal(tmp_path, two, "s.zip")
    assert "it holds none" in refusal(tmp_path, packed({"a.jpg": b""}), "s.zip")
    assert "cannot be read" in refusal(tmp_path, b"PK", "s.zip")
    assert "cannot be read" in refusal(tmp_path, gzip.compress(CSV)[:300], "s.csv.gz")
