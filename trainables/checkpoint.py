"""Checkpoints on disk: the last state of a run, and the weights of its best epoch."""

import errno
import hashlib
import pickle
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from trainables.files import write_atomically

_ALMOST_FULL = 1 << 26  # bytes; a checkpoint that did not fit may leave some room
LAST = "last.pt"
BEST = "best.safetensors"
FROZEN = "frozen"  # the folder of frozen weights, and the key under which a file names its own


def save_state(folder: Path, state: Mapping[str, Any]) -> None:
    """Write the state of a run as the folder's last checkpoint; OSError if the disk refuses."""
    with _telling(folder / LAST):
        write_atomically(folder / LAST, lambda path: torch.save(dict(state), path))


def load_state(folder: Path, device: torch.device) -> dict[str, Any] | None:
    """The folder's last checkpoint; None where there is none, or where it is damaged.

    A damaged one is put aside: a run begun anew gives the same numbers again.
    """
    path = folder / LAST
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    except (pickle.UnpicklingError, EOFError, RuntimeError, ValueError, KeyError):
        path.replace(path.with_name(f"{LAST}.damaged"))
        return None
    return state


def save_weights(path: Path, weights: Mapping[str, Tensor]) -> None:
    """Write weights as safetensors."""
    _save(path, weights, {})


def _save(path: Path, weights: Mapping[str, Tensor], metadata: dict[str, str]) -> None:
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    with _telling(path):
        write_atomically(path, lambda temporary: save_file(tensors, str(temporary), metadata))


@contextmanager
def _telling(path: Path) -> Iterator[None]:
    """torch and safetensors hide what a disk answered in errors of their own: tell it again."""
    try:
        yield
    except (RuntimeError, SafetensorError) as error:
        told = " ".join(str(error).split())[:200]
        full = shutil.disk_usage(path.parent).free < _ALMOST_FULL
        code, text = (errno.ENOSPC, "No space left on device") if full else (errno.EIO, told)
        raise OSError(code, text, str(path)) from error


def save_frozen(checkpoints: Path, weights: Mapping[str, Tensor]) -> str | None:
    """Keep the frozen part of a network once for all trials that share it; returns its name."""
    if not weights:
        return None
    digest = hashlib.sha256()
    for name in sorted(weights):
        digest.update(name.encode() + weights[name].contiguous().numpy().tobytes())
    path = checkpoints / FROZEN / f"{digest.hexdigest()[:24]}.safetensors"
    if not path.exists():
        save_weights(path, weights)
    return path.stem


def save_best(folder: Path, weights: Mapping[str, Tensor], frozen: str | None) -> None:
    """Write a trial's best weights; `frozen` names what `save_frozen` keeps beside the trials."""
    _save(folder / BEST, weights, {} if frozen is None else {FROZEN: frozen})


def load_best(folder: Path) -> dict[str, Tensor]:
    """A trial's best weights with the frozen part they belong to; ValueError if not whole."""
    weights, frozen = load_weights(folder / BEST), frozen_name(folder)
    if frozen is None:
        return weights
    return load_weights(folder.parent / FROZEN / f"{frozen}.safetensors") | weights


def frozen_name(folder: Path) -> str | None:
    """What the frozen part of a trial's best weights is called; None if it has none."""
    with safe_open(str(folder / BEST), framework="pt") as file:
        name: str | None = (file.metadata() or {}).get(FROZEN)
    return name


def load_weights(path: Path) -> dict[str, Tensor]:
    """Read weights from safetensors; ValueError if the file is not whole."""
    try:
        weights: dict[str, Tensor] = load_file(str(path))
    except (OSError, SafetensorError) as error:
        raise ValueError(f"{path} is not a whole safetensors file ({error})") from None
    return weights
