"""Files as a person might give them by mistake: truncated, of another kind, or of wrong values.

Each function writes a file to a path. `cut_short` makes of such a function one that cuts the file.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import save_file

from trainables.decision_tree import COLUMNS
from trainables.galaxies import save_galaxies

Make = Callable[[Path], None]


def write(path: Path, content: str | bytes) -> None:
    """Write a text or bytes."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def nothing(path: Path) -> None:
    """Write an empty file."""
    path.write_bytes(b"")


def words(path: Path) -> None:
    """Write words, and bytes that are no UTF-8."""
    path.write_bytes(b"these are but words \xff\xfe" * 60)


def cut_short(make: Make, share: float) -> Make:
    """Return a function that writes what `make` writes and keeps this share of its bytes."""

    def made(path: Path) -> None:
        make(path)
        content = path.read_bytes()
        path.write_bytes(content[: int(share * len(content))])

    return made


def galaxy_arrays(**changes: Any) -> dict[str, Any]:
    """Return the arrays of twelve galaxies of 16 pixels, some of them changed."""
    chance = np.random.default_rng(0)
    arrays = {
        "images": chance.integers(0, 256, (12, 16, 16, 3), dtype=np.uint8),
        "target": chance.random((12, 37), dtype=np.float32),
    }
    return {**arrays, **changes}


def npz(path: Path, **changes: Any) -> None:
    """Write a galaxy file of `galaxy_arrays`."""
    save_galaxies(path, galaxy_arrays(**changes))


def target_with(value: float) -> NDArray[np.float32]:
    """Return vote fractions [12, 37], one of which is `value`."""
    target: NDArray[np.float32] = galaxy_arrays()["target"]
    target[7, 20] = value
    return target


def votes(**cells: object) -> pd.DataFrame:
    """Return Kaggle's votes of galaxies 1, 2 and 3, with other cells in the row of galaxy 1."""
    rows = [{"GalaxyID": i, **dict.fromkeys(COLUMNS, 0.5)} for i in (1, 2, 3)]
    return pd.DataFrame([{**rows[0], **cells}, *rows[1:]])


def csv(path: Path, table: pd.DataFrame) -> None:
    """Write a table as CSV."""
    table.to_csv(path, index=False)


def jpeg(path: Path) -> None:
    """Write a JPEG of 64 pixels."""
    Image.new("RGB", (64, 64)).save(path, "JPEG")


def png(path: Path) -> None:
    """Write a PNG of 64 pixels of noise."""
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(path, "PNG")


def pickled(path: Path) -> None:
    """Write weights as torch.save writes them."""
    torch.save({"weight": torch.rand(8, 8), "bias": torch.rand(8)}, path)


def pickled_by_an_older_torch(path: Path) -> None:
    """Write weights as torch.save wrote them before version 1.6."""
    weights = {"weight": torch.rand(8, 8), "bias": torch.rand(8)}
    torch.save(weights, path, _use_new_zipfile_serialization=False)


def tensors(path: Path) -> None:
    """Write weights as safetensors."""
    save_file({"weight": torch.rand(64, 64)}, str(path))
