"""Files that cannot be written are known before the work, and its result is kept in any case."""

from pathlib import Path

import pandas as pd
import pytest

from galaxytune.models import check_output, write_table_somewhere
from search_spaces.declaration import InvalidInput, WorkFailed

TABLE = pd.DataFrame({"id_str": ["a"], "Class1.1": [0.5]})


def test_a_file_that_can_be_written_leaves_no_trace(tmp_path: Path) -> None:
    check_output(tmp_path / "a" / "b" / "out.csv")
    (tmp_path / "old.csv").write_text("old")
    check_output(tmp_path / "old.csv", [tmp_path / "in.csv", tmp_path])
    check_output(tmp_path / f"{'n' * 240}.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["old.csv"]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("folder", "is a folder; name a file"),
        ("file/out.csv", "cannot be written: Not a directory at"),
        ("file/a/out.csv", "cannot be written: Not a directory at"),
        ("n" * 250 + ".csv", " has 254 bytes, which is too long"),
        ("é" * 125 + ".csv", " has 254 bytes, which is too long"),
        ("m" * 300 + "/out.csv", " has 300 bytes, which is too long"),
        ("in.csv", "would replace its own input; name another file"),
        ("folder/../in.csv", "would replace its own input"),
        ("link.csv", "would replace its own input"),
        ("no\0name.csv", "holds a null character"),
        ("/proc/out.csv", "/proc/out.csv cannot be written: "),
    ],
    ids=lambda value: value[:20],
)
def test_a_file_that_cannot_be_written_is_refused(name: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    (tmp_path / "in.csv").write_text("")
    (tmp_path / "link.csv").symlink_to(tmp_path / "in.csv")
    with pytest.raises(InvalidInput) as error:
        check_output(tmp_path / name, [tmp_path / "in.csv"])
    assert told in str(error.value) and "\n" not in str(error.value)


def test_predictions_whose_place_has_gone_are_written_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "out.csv").mkdir()  # since the work began
    with pytest.raises(WorkFailed, match="out.csv cannot be written .*; the predictions") as error:
        write_table_somewhere(TABLE, tmp_path / "out.csv")
    (kept,) = tmp_path.glob("galaxytune-predictions-*/predictions.csv")
    assert str(kept) in str(error.value)
    assert kept.read_text() == "id_str,Class1.1\na,0.500000\n"


def test_predictions_on_a_full_disk_are_written_elsewhere(
    small_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(OSError, match="No space"):
        (small_disk / "much").write_bytes(bytes(30 << 20))
    with pytest.raises(WorkFailed, match="No space left.*; the predictions are in"):
        write_table_somewhere(TABLE, small_disk / "out.parquet")
    (kept,) = tmp_path.glob("galaxytune-predictions-*/predictions.parquet")
    assert pd.read_parquet(kept).equals(TABLE)
