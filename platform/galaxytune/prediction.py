"""Predictions for images from anywhere: a folder, a zip, an npz or a catalog, into a table."""

import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from galaxytune.export import Export
from trainables.decision_tree import COLUMNS
from trainables.files import write_atomically
from trainables.galaxies.damage import DAMAGE, one_line
from trainables.galaxies.galaxy_file import open_galaxies
from trainables.galaxies.image_files import IMAGE_SUFFIXES, read_image
from trainables.prediction import predict
from trainables.training import training_device

_BATCH = 512
Opener = Callable[[], IO[bytes]]


@dataclass(frozen=True)
class PredictionReport:
    """Rows written, and files that could not be read with the reason."""

    num_predicted: int
    skipped: tuple[str, ...]


def _from_folder(folder: Path) -> list[tuple[str, Opener]]:
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES)
    return [(path.stem, lambda path=path: path.open("rb")) for path in paths]  # type: ignore[misc]


def _from_zip(path: Path) -> list[tuple[str, Opener]]:
    try:
        archive = zipfile.ZipFile(path)
    except DAMAGE as error:
        raise ValueError(f"{path} is not a whole zip file ({one_line(error)})") from None
    names = sorted(n for n in archive.namelist() if n.lower().endswith(IMAGE_SUFFIXES))
    return [(Path(name).stem, lambda name=name: archive.open(name)) for name in names]  # type: ignore[misc]


def _from_catalog(path: Path) -> list[tuple[str, Opener]]:
    try:
        table = (
            pd.read_parquet(path)
            if path.suffix.lower() == ".parquet"
            else pd.read_csv(path, dtype=str)
        )
    except DAMAGE as error:
        raise ValueError(f"{path} cannot be read as a catalog ({one_line(error)})") from None
    missing = [c for c in ("id_str", "file_loc") if c not in table.columns]
    if missing:
        raise ValueError(f"{path} lacks the columns {', '.join(missing)}")
    files = [path.parent / str(file) for file in table["file_loc"]]  # absolute ones stay so
    ids = [str(i) for i in table["id_str"]]
    return [(i, lambda file=file: file.open("rb")) for i, file in zip(ids, files)]  # type: ignore[misc]


def image_files(source: Path) -> list[tuple[str, Opener]]:
    """Id and opener of every image of a folder, zip or catalog; ValueError if there is none."""
    if not source.exists():
        raise ValueError(f"no file or folder {source}")
    if source.is_dir():
        found = _from_folder(source)
    elif source.suffix.lower() == ".zip":
        found = _from_zip(source)
    else:
        found = _from_catalog(source)
    if not found:
        raise ValueError(f"{source} holds no {', '.join(IMAGE_SUFFIXES)} image")
    return found


Batch = tuple[list[str], NDArray[np.uint8]]


def _decoded(
    files: Iterable[tuple[str, Opener]], export: Export, skipped: list[str]
) -> Iterator[Batch]:
    """Batches of ids and pixels; what cannot be read is named in `skipped`."""
    ids: list[str] = []
    pixels: list[NDArray[np.uint8]] = []
    for name, opener in files:
        try:
            with opener() as file:
                image = read_image(file, crop=export.crop, side=export.side)
        except DAMAGE as error:
            skipped.append(f"{name}: {one_line(error)}")
            continue
        ids.append(name)
        pixels.append(image)
        if len(ids) == _BATCH:
            yield ids, np.stack(pixels)
            ids, pixels = [], []
    if ids:
        yield ids, np.stack(pixels)


def _mapped(source: Path) -> Iterator[Batch]:
    galaxies = open_galaxies(source)
    for start in range(0, len(galaxies), _BATCH):
        rows = slice(start, start + _BATCH)
        yield [str(i) for i in galaxies.ids[rows]], np.asarray(galaxies.images[rows])


def predict_to_table(
    export: Export,
    source: Path,
    out: Path,
    *,
    on_progress: Callable[[int], None] | None = None,
) -> PredictionReport:
    """Predict every image of `source` into a CSV or parquet table, one row an image.

    Columns: `id_str` (the file's stem, the catalog's or the npz's id) and the 37 answers in
    Kaggle's order. Unreadable images are left out and reported. ValueError if the source or
    the suffix of `out` is of no known kind, or if no image could be read.
    """
    if out.suffix.lower() not in (".csv", ".parquet"):
        raise ValueError(f"predictions are written as .csv or .parquet, not {out.name!r}")
    if not source.exists():
        raise ValueError(f"no file or folder {source}")
    skipped: list[str] = []
    if source.suffix.lower() == ".npz":
        batches = _mapped(source)
    else:
        batches = _decoded(image_files(source), export, skipped)
    device = training_device()
    network = export.network.to(device)
    tables = []
    num_done = 0
    for ids, pixels in batches:
        table = pd.DataFrame(predict(network, pixels, device), columns=list(COLUMNS))
        table.insert(0, "id_str", ids)
        tables.append(table)
        num_done += len(ids)
        if on_progress is not None:
            on_progress(num_done)
    if not tables:
        raise ValueError(f"no image of {source} could be read; the first: {skipped[0]}")
    _write(pd.concat(tables, ignore_index=True), out)
    return PredictionReport(num_done, tuple(skipped))


def _write(table: pd.DataFrame, out: Path) -> None:
    if out.suffix.lower() == ".parquet":
        write_atomically(out, lambda path: table.to_parquet(path, index=False))
    else:
        write_atomically(out, lambda path: table.to_csv(path, index=False, float_format="%.6f"))
