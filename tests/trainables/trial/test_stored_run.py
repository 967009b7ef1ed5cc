"""A trial's folder: best weights and what they predict, written and dropped together."""

from pathlib import Path

import numpy as np
import pytest

from trainables.files import load_predictions, save_predictions
from trainables.galaxies import Galaxies, split_galaxies
from trainables.trial.stored_run import StoredRun
from trainables.trial.task import TrialTask

VALUES = {"architecture": "simple_cnn", "width": 0.1, "batch_size": 64, "epochs": 2}


@pytest.fixture
def begun(toys: Galaxies, tmp_path: Path) -> StoredRun:
    """The run of a trial, whose folder holds predictions that no report tells of."""
    folder = tmp_path / "00000"
    save_predictions(folder, np.zeros((32, 37)))
    task = TrialTask("00000", VALUES, "", "", str(folder), num_threads=1, uses_gpu=False)
    return StoredRun(task, toys, split_galaxies(toys, "seed"))


def test_predictions_stand_beside_the_weights_that_made_them(
    begun: StoredRun, tmp_path: Path
) -> None:
    folder = tmp_path / "00000"
    begun.resume()
    assert list(folder.iterdir()) == []
    begun.run.run_epoch()
    begun.keep()
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["best.safetensors", "best_validation.npy", "last.pt"]
    kept = load_predictions(folder, (32, 37))
    assert kept is not None
    np.testing.assert_array_equal(kept, begun.run.best_predictions)

    save_predictions(folder, np.zeros((32, 37)))  # those of a later epoch
    begun.resume()
    np.testing.assert_array_equal(load_predictions(folder, (32, 37)), kept)


def test_a_trial_that_an_older_version_began_has_no_predictions_of_other_weights(
    begun: StoredRun, tmp_path: Path
) -> None:
    begun.resume()
    begun.run.run_epoch()
    begun.run.best_predictions = None  # as after the state of an older version
    save_predictions(tmp_path / "00000", np.zeros((32, 37)))
    begun.keep()
    assert load_predictions(tmp_path / "00000", (32, 37)) is None
