"""Predictions beside the best weights: kept to 0.00025, and passed over if they are damaged."""

from pathlib import Path

import numpy as np
import pytest

from trainables.files.kept_predictions import (
    PREDICTED,
    drop_predictions,
    load_predictions,
    save_predictions,
)

VOTES = np.random.default_rng(0).random((5, 37)).astype(np.float32)


def test_predictions_are_kept_in_half_the_bytes(tmp_path: Path) -> None:
    save_predictions(tmp_path / "00000", VOTES)
    kept = load_predictions(tmp_path / "00000", (5, 37))
    assert kept is not None and kept.dtype == np.float32
    np.testing.assert_allclose(kept, VOTES, rtol=0, atol=2.5e-4)
    assert np.load(tmp_path / "00000" / PREDICTED).nbytes == VOTES.nbytes / 2
    drop_predictions(tmp_path / "00000")
    drop_predictions(tmp_path / "00000")
    assert load_predictions(tmp_path / "00000", (5, 37)) is None


@pytest.mark.parametrize(
    "content", [b"", b"no array", b"PK\x03\x04", b"\x93NUMPY\x01\x00", np.full((5, 37), np.nan)]
)
def test_damaged_predictions_count_as_missing(content: bytes | np.ndarray, tmp_path: Path) -> None:
    if isinstance(content, bytes):
        (tmp_path / PREDICTED).write_bytes(content)
    else:
        save_predictions(tmp_path, content)
    assert load_predictions(tmp_path, (5, 37)) is None


def test_predictions_of_other_galaxies_count_as_missing(tmp_path: Path) -> None:
    save_predictions(tmp_path, VOTES)
    assert load_predictions(tmp_path, (6, 37)) is None
