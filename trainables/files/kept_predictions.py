"""The predictions of a trial's best weights for the validation galaxies, kept beside them."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainables.files.atomic_files import write_atomically
from trainables.files.damage import DAMAGE

PREDICTED = "best_validation.npy"


def save_array(path: Path, array: NDArray[np.floating]) -> None:
    """Write an array to `path`, whatever its suffix, in numpy's npy format.

    An older file is overwritten. OSError is raised if the file cannot be written.
    """
    with path.open("wb") as file:  # numpy adds a suffix to a name, but not to an open file
        np.save(file, array)


def save_predictions(folder: Path, predicted: NDArray[np.floating]) -> None:
    """Write the predictions of a trial's best weights to `best_validation.npy` in a folder.

    folder: the trial's checkpoint folder, which is made if it does not exist. predicted: vote
    fractions [V, 37] in 0..1, which are rounded to float16, by at most 0.00025. An older file is
    replaced in one step. OSError is raised if the file cannot be written.
    """
    rounded = predicted.astype(np.float16)
    write_atomically(folder / PREDICTED, lambda path: save_array(path, rounded))


def load_predictions(folder: Path, shape: tuple[int, int]) -> NDArray[np.float32] | None:
    """Return the predictions that `save_predictions` wrote to a folder, or None.

    shape: the number of validation galaxies and of answers. None is returned if the file is
    missing, is damaged, or holds an array of another shape or type.
    """
    try:
        found = np.load(folder / PREDICTED)
    except DAMAGE:
        return None
    if not isinstance(found, np.ndarray) or (found.shape, found.dtype) != (shape, np.float16):
        return None
    return found.astype(np.float32) if np.isfinite(found).all() else None


def drop_predictions(folder: Path) -> None:
    """Delete the predictions in a folder; missing predictions are no error."""
    (folder / PREDICTED).unlink(missing_ok=True)
