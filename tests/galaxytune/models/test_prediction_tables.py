"""The result of a prediction is kept, even if its place can no longer be written."""

from pathlib import Path

import pandas as pd
import pytest

from galaxytune.models import write_table_somewhere
from search_spaces.declaration import WorkFailed

TABLE = pd.DataFrame({"id_str": ["a"], "Class1.1": [0.5]})


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
