"""A submission holds what Kaggle wants of it: 37 columns, every galaxy once, in order."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import galaxytune
from search_spaces.declaration import InvalidInput
from tests.support.command_line import Cli
from tests.support.networks import noise
from trainables.decision_tree import COLUMNS

HEADER = "GalaxyID," + ",".join(COLUMNS)


def predictions(ids: list[Any]) -> pd.DataFrame:
    """A table of seeded predictions with these ids, the columns in reverse order."""
    votes = np.random.default_rng(0).random((len(ids), 37))
    table = pd.DataFrame(votes, columns=list(COLUMNS))
    table["id_str"] = ids
    return table[table.columns[::-1]]


def save_images(folder: Path, *names: str) -> Path:
    """Write images of 64 x 64 pixels of noise under these names and return the folder."""
    for name, pixels in zip(names, noise(len(names), 64)):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / name)
    return folder


def error_of(cli: Cli, capfd: pytest.CaptureFixture[str], *arguments: Any) -> str:
    """The last line of a command that ends with exit code 2."""
    assert cli(*arguments) == 2
    return capfd.readouterr().err.splitlines()[-1]


def test_the_command_writes_a_row_for_each_galaxy_in_the_order_of_its_number(
    cli: Cli, trained: Path, tmp_path: Path
) -> None:
    images = save_images(tmp_path / "images", "1000.png", "999.png", "sub/20.png")
    assert cli("predict", trained, images, "out.CSV", "--format", "kaggle") == 0
    header, *rows = Path("out.CSV").read_text().splitlines()
    assert header == HEADER and HEADER.endswith("Class11.5,Class11.6")
    assert [row.split(",")[0] for row in rows] == ["20", "999", "1000"]
    assert cli("predict", trained, images, "table.csv") == 0
    table = pd.read_csv("table.csv").sort_values("id_str")
    np.testing.assert_array_equal(pd.read_csv("out.CSV")[list(COLUMNS)], table[list(COLUMNS)])


def test_a_catalog_and_a_galaxy_file_give_their_ids(
    cli: Cli, trained: Path, tmp_path: Path
) -> None:
    save_images(tmp_path, "b.png")
    (tmp_path / "catalog.csv").write_text("id_str,file_loc\n1237648720693755918,b.png\n")
    np.savez(tmp_path / "new.npz", images=noise(2, 64), ids=np.array([9, 8]))
    for source, ids in (("catalog.csv", [1237648720693755918]), ("new.npz", [8, 9])):
        assert cli("predict", trained, source, "out.csv", "--format", "kaggle") == 0
        assert list(pd.read_csv("out.csv")["GalaxyID"]) == ids


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["7.png", "spiral.png"], "the id 'spiral' is no whole number, as Kaggle's GalaxyID is"),
        (["7.png", "007.png"], "the ids '007' and '7' are both the GalaxyID 7; keep one"),
        (["7.png", "-8.png"], "the id '-8' is no whole number"),
        (["7.png", "²³.png"], "the id '²³' is no whole number"),
        (["7.png", f"{2**63}.png"], "the id '9223372036854775808' is no whole number"),
    ],
)
def test_ids_that_kaggle_would_not_know_are_told_before_anything_is_predicted(
    names: list[str],
    told: str,
    cli: Cli,
    trained: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    images = save_images(tmp_path / "images", *names)
    line = error_of(cli, capfd, "predict", trained, images, "out.csv", "--format", "kaggle")
    assert told in line and not Path("out.csv").exists()


def test_the_name_and_the_form_of_a_submission_are_checked_before_the_model_is_loaded(
    cli: Cli, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    arguments = ("predict", "no model", tmp_path)
    told = error_of(cli, capfd, *arguments, "out.parquet", "--format", "kaggle")
    assert told.endswith("a submission to Kaggle is written as .csv, not 'out.parquet'")
    assert "'json' is not one of" in error_of(cli, capfd, *arguments, "o.csv", "--format", "json")


def test_a_submission_without_the_skipped_images_says_that_kaggle_refuses_it(
    cli: Cli, trained: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    images = save_images(tmp_path / "images", "1.png")
    (images / "2.jpg").write_bytes(b"\xff\xd8 not a picture")
    assert cli("predict", trained, images, "out.csv", "--format", "kaggle") == 0
    assert "Kaggle refuses a submission that lacks a galaxy" in capfd.readouterr().err
    assert list(pd.read_csv("out.csv")["GalaxyID"]) == [1]


def test_python_writes_a_table_of_any_order(tmp_path: Path) -> None:
    table = predictions(["30", 4])
    path = galaxytune.write_submission(table, tmp_path / "new" / "out.csv")
    written = pd.read_csv(path)
    assert ",".join(written.columns) == HEADER and list(written["GalaxyID"]) == [4, 30]
    np.testing.assert_allclose(
        written.iloc[1, 1:], table.loc[0, list(COLUMNS)].astype(float), atol=1e-6
    )


@pytest.mark.parametrize(
    ("table", "told"),
    [
        (predictions(["1", None]), "row 2 has no id"),
        (predictions(["1", "1"]), "has the id '1' twice, in rows 1 and 2"),
        (predictions(["1", "1.5"]), "the id '1.5' is no whole number"),
        (predictions([]), "the predictions hold no galaxy"),
        (predictions(["1"]).drop(columns="id_str"), "lack the column 'id_str'"),
        (predictions(["1"]).drop(columns="Class7.2"), "lack the column 'Class7.2'"),
        (
            predictions(["5", "6"]).assign(**{"Class3.1": pd.Series(["?", "0.5"])}),
            "galaxy 5 hold a value",
        ),
        (predictions(["5", "6"]).assign(**{"Class3.1": [0.5, np.inf]}), "galaxy 6 hold a value"),
    ],
    ids=range(8),
)
def test_a_table_that_is_no_submission_is_refused(
    table: pd.DataFrame, told: str, tmp_path: Path
) -> None:
    with pytest.raises(InvalidInput, match=told):
        galaxytune.write_submission(table, tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()
