"""A miniature of Kaggle's download: JPEG files and drawn votes, packed as Kaggle packs them."""

import io
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from trainables.decision_tree import COLUMNS
from trainables.galaxies.kaggle_places import IMAGES, SOLUTIONS

IDS = (100_023, 100_008, 200_001, 100_053)  # not sorted, as in no real file


def jpeg(galaxy_id: int, file_format: str = "JPEG") -> bytes:
    """Return an encoded blurred image of 60 pixels, drawn by its id."""
    rough = np.random.default_rng(galaxy_id).integers(0, 255, (6, 6, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(rough).resize((60, 60)).save(file, file_format, quality=95)
    return file.getvalue()


def jpegs(ids: Iterable[int] = IDS) -> dict[str, bytes]:
    """Return the JPEG files of galaxies by name."""
    return {f"{i}.jpg": jpeg(i) for i in ids}


def votes_of(ids: Iterable[int] = IDS) -> pd.DataFrame:
    """Return Kaggle's table for galaxies, with votes drawn by their ids."""
    rows = {i: np.random.default_rng(i).random(37).round(6) for i in ids}
    table = pd.DataFrame.from_dict(rows, orient="index", columns=list(COLUMNS))
    return table.rename_axis("GalaxyID").reset_index()


def csv_of(votes: pd.DataFrame) -> bytes:
    """Return a table as CSV."""
    return votes.to_csv(index=False).encode()


def packed(files: Mapping[str, bytes]) -> bytes:
    """Return a zip of files by name; backslashes in names stay, as in zips made on Windows."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo("x")
            info.filename = name
            archive.writestr(info, content)
    return file.getvalue()


def put(folder: Path, files: Mapping[str, bytes]) -> Path:
    """Write files by their path below a folder, and return the folder."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def pack(folder: Path, files: Mapping[str, bytes], votes: pd.DataFrame) -> Path:
    """Write the two zips as Kaggle makes them, and return their folder."""
    images = packed({f"{IMAGES}/{name}": content for name, content in files.items()})
    table = packed({f"{SOLUTIONS}.csv": csv_of(votes)})
    return put(folder, {f"{IMAGES}.zip": images, f"{SOLUTIONS}.zip": table})
