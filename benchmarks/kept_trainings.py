"""Trainings of a benchmark whose results are kept, so that a stopped benchmark goes on."""

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from galaxytune.plan import package_versions
from search_spaces.declaration import (
    InvalidInput,
    TrainingProtocol,
    WorkFailed,
    config_from_values,
)
from trainables.device import training_device
from trainables.files import write_atomically
from trainables.galaxies import Split, fingerprint, open_galaxies, split_galaxies
from trainables.training import Diverged, TrainingRun, predict_by_one_and_eight

Part = Literal["validation", "test"]
_LARGEST_NAME = 120  # characters
_RESAMPLES = 2000
# The recipe of the residual CNN, which suits small galaxy images, for any network.
RECIPE: dict[str, Any] = {
    "optimizer": "adamw",
    "weight_decay": 0.05,
    "schedule": "cosine",
    "kept_weights": "averaged",
    "early_stopping_patience": 0,
    "rotation_degrees": 180.0,
    "flips": True,
    "zoom_fraction": 0.2,
    "zoom_axes": "alike",
    "brightness": 0.1,
    "head": "tree_softmax",
    "output_bias": "votes",
}


@dataclass(frozen=True)
class Result:
    """The result of a training: its best validation RMSE, and the minutes on the device.

    rmse: the lowest validation RMSE, or NaN if the training diverged. epochs: the number of epochs
    trained. minutes: the time of the whole training, its validation included.
    """

    rmse: float
    epochs: int
    minutes: float


@dataclass(frozen=True)
class Training:
    """A training on a galaxy file.

    name: the words that tell the training from the others of its benchmark. config: what is
    trained. data: the galaxy file, whose validation part of the split by hash is predicted.
    num_labels: the number of training galaxies, drawn with the config's seed; None for all.
    with_validation: True to train on the validation galaxies too, as `export --refit` can.
    """

    name: str
    config: TrainingProtocol
    data: Path
    num_labels: int | None = None
    with_validation: bool = False

    def split(self) -> Split:
        """Return the rows of the file; InvalidInput if it has fewer training galaxies."""
        whole = split_galaxies(open_galaxies(self.data), "hash")
        if self.with_validation:
            rows = np.sort(np.concatenate([whole.training, whole.validation]))
            whole = replace(whole, training=rows)
        if self.num_labels is None:
            return whole
        if self.num_labels > len(whole.training):
            raise InvalidInput(
                f"{self.data} has {len(whole.training)} training galaxies, not {self.num_labels}"
            )
        drawn = np.random.default_rng(self.config.seed).permutation(whole.training)
        return replace(whole, training=np.sort(drawn[: self.num_labels]))

    def run(self) -> TrainingRun:
        """Return the training before its first epoch, on the GPU if torch finds one."""
        return TrainingRun(self.config, open_galaxies(self.data), self.split(), training_device())

    def described(self) -> dict[str, Any]:
        """Return what decides the numbers of the training, as plain values."""
        return {
            "config": self.config.model_dump(mode="json"),
            "num_labels": self.num_labels,
            "data": _fingerprint(self.data),
            **({"with_validation": True} if self.with_validation else {}),
        }


@cache
def _fingerprint(data: Path) -> str:
    """Return the fingerprint of a galaxy file, which is read once."""
    return fingerprint(data)


def kept_predictions(
    training: Training, out: Path, *, part: Part = "validation"
) -> NDArray[np.float32]:
    """Return what a training predicts for V galaxies of a part, by 1 and by 8 views [2, V, 37].

    The predictions are those of the best epoch. They are read from OUT/NAME.npy; a training that
    is not kept in the folder `out` is trained now (see `kept_result`). A training that diverged
    raises InvalidInput.
    """
    path = out / f"{_file_name(training.name)}.npy"
    result = kept_result(training, out, predictions=(path, part))
    if np.isnan(result.rmse):
        raise InvalidInput(f"the training {training.name!r} diverged")
    found: NDArray[np.float32] = np.load(path).astype(np.float32)
    return found


def _save_predictions(run: TrainingRun, path: Path, part: Part) -> None:
    """Write the predictions of a run's best epoch for the galaxies of a part, as float16."""
    run.restore_best_weights()
    rows, images = run.split.parts()[part], run.galaxies.images
    views = predict_by_one_and_eight(run.network, images, run.device, rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        np.save(file, np.stack(views).astype(np.float16))


def kept_result(
    training: Training, out: Path, *, predictions: tuple[Path, Part] | None = None
) -> Result:
    """Return the result of a training: from its file in the folder `out`, or trained now.

    The file OUT/NAME.json also holds the config, the validation RMSE of each epoch, the versions
    and the machine. predictions: the file to which the predictions of a training of now are
    written, and the part of the galaxies that is predicted; or None. InvalidInput is raised if the
    kept file is that of another config or of other data.
    """
    path = out / f"{_file_name(training.name)}.json"
    described = training.described()
    if path.exists():
        kept = json.loads(path.read_text())
        other = [key for key, value in described.items() if kept.get(key) != value]
        if other:
            raise InvalidInput(
                f"{path} holds a training with another {' and '.join(other)}; give another --out"
            )
        return Result(**kept["result"])
    started = time.perf_counter()
    run = training.run()
    failure = None
    while run.finished is None:
        try:
            report = run.run_epoch()
        except Diverged as error:
            failure = str(error)
            break
        _tell(f"{training.name}: epoch {report.epoch}, validation RMSE {report.val_rmse:.4f}")
    curve = [report.val_rmse for report in run.reports]
    minutes = (time.perf_counter() - started) / 60
    result = Result(min(curve) if failure is None else float("nan"), len(curve), minutes)
    if failure is None and predictions is not None:
        _save_predictions(run, *predictions)
    kept = {
        **described,
        "result": result.__dict__,
        "failure": failure,
        "val_rmse": curve,
        "versions": package_versions(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {training_device()}",
    }
    out.mkdir(parents=True, exist_ok=True)
    write_atomically(path, lambda new: new.write_text(json.dumps(kept, indent=2)))
    return result


def ratio_of_rmses(
    first: NDArray[np.floating], second: NDArray[np.floating]
) -> tuple[float, float, float]:
    """Return the ratio of two RMSEs and the ends of its paired 95 % bootstrap interval.

    first, second: the mean squared errors [N] of the same N galaxies. In each resample both RMSEs
    are over the same drawn galaxies.
    """
    pair = np.stack([first, second])
    chance = np.random.default_rng(0)
    drawn = chance.integers(0, pair.shape[1], (_RESAMPLES, pair.shape[1]))
    rmses = np.sqrt(pair[:, drawn].mean(axis=2))  # [2, resamples]
    low, high = np.quantile(rmses[0] / rmses[1], [0.025, 0.975])
    return float(np.sqrt(pair[0].mean() / pair[1].mean())), float(low), float(high)


def seconds_of_an_epoch(training: Training) -> float:
    """Return the seconds of the second epoch of a training; the first one also prepares."""
    run = replace(training, config=training.config.model_copy(update={"epochs": 2})).run()
    run.run_epoch()
    return run.run_epoch().seconds


def _file_name(name: str) -> str:
    """Return a training's name as a file name without suffix."""
    kept = "".join(c if c.isalnum() or c in "-_." else "-" for c in name)
    return kept[:_LARGEST_NAME]


def _tell(line: str) -> None:
    """Print a line about the progress on standard error, at once."""
    print(line, file=sys.stderr, flush=True)


def config_of(architecture: str, *settings: Mapping[str, Any]) -> TrainingProtocol:
    """Return the config of an architecture with the recipe and settings; later settings win."""
    values: dict[str, Any] = {"architecture": architecture, **RECIPE}
    for more in settings:
        values |= more
    return config_from_values(values)


def summary(results: Sequence[Result]) -> str:
    """Return the cells `RMSE | spread | epochs | minutes` of one training with several seeds.

    The spread is the standard deviation over the seeds.
    """
    values = [result.rmse for result in results]
    spread = f"{np.std(values, ddof=1):.4f}" if len(values) > 1 else ""
    epochs = "/".join(dict.fromkeys(str(result.epochs) for result in results))
    minutes = np.mean([result.minutes for result in results])
    return f"{np.mean(values):.4f} | {spread} | {epochs} | {minutes:.1f}"


def machine_line() -> str:
    """Return one line on the versions and the machine of a benchmark."""
    return f"torch {torch.__version__}, {torch.get_num_threads()} threads, {training_device()}"


def numbers(text: str) -> tuple[int, ...]:
    """Return whole numbers that commas separate, as an argument gives them."""
    return tuple(int(part) for part in text.split(","))


def run_or_tell(work: Callable[[argparse.Namespace], None], arguments: argparse.Namespace) -> None:
    """Run a benchmark; end with one line if it cannot be done.

    The exit code is 2 for what is wrong with its arguments, and 1 if the work fails.
    """
    try:
        work(arguments)
    except InvalidInput as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except WorkFailed as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
