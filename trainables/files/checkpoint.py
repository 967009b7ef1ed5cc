"""Checkpoints on disk: the last state of a run, and the weights of its best epoch."""

import errno
import hashlib
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from search_spaces.declaration import InvalidInput
from trainables.files.atomic_files import write_atomically
from trainables.files.damage import DAMAGE, PICKLE_DAMAGE

_ALMOST_FULL = 1 << 26  # free bytes; a checkpoint that does not fit may leave so many
LAST = "last.pt"
BEST = "best.safetensors"
FROZEN = "frozen"  # folder of frozen weights; key of their name in the metadata of best weights


def save_state(folder: Path, state: Mapping[str, Any]) -> None:
    """Write the state of a run to `last.pt` in a folder, which is made if it does not exist.

    state: plain values and tensors by name, which `torch.load` can read with weights_only=True. An
    earlier `last.pt` is replaced in one step. OSError is raised if the file cannot be written.
    """
    with _telling(folder / LAST):
        write_atomically(folder / LAST, lambda path: torch.save(dict(state), path))


def load_state(folder: Path, device: torch.device) -> dict[str, Any] | None:
    """Return the state that `save_state` wrote to a folder; None without a usable `last.pt`.

    device: where the tensors are put. A file that torch cannot load counts as damaged and is
    renamed to last.pt.damaged: a run that begins again gives the same numbers. OSError is raised
    if the file cannot be read or renamed. A RuntimeError of torch about a file that is whole, such
    as an error that memory ran out, is raised unchanged.
    """
    path = folder / LAST
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    except (*PICKLE_DAMAGE, OSError) as error:
        # torch raises an OSError with EINVAL for a file whose end is missing
        if isinstance(error, OSError) and error.errno != errno.EINVAL:
            raise
        if isinstance(error, RuntimeError) and _is_whole(path):
            raise
        path.replace(path.with_name(f"{LAST}.damaged"))
        return None
    return state


def _is_whole(path: Path) -> bool:
    """Return whether a file is a zip file, as torch.save writes, with the right checksums."""
    try:
        with zipfile.ZipFile(path) as file:
            return file.testzip() is None
    except DAMAGE:
        return False


def save_weights(path: Path, weights: Mapping[str, Tensor]) -> None:
    """Write weights, by name, to a safetensors file, whose folder is made if it does not exist.

    Weights on another device are copied to the CPU; tensors that share memory are written each in
    full. OSError is raised if the file cannot be written.
    """
    _save(path, weights, {})


def _save(path: Path, weights: Mapping[str, Tensor], metadata: dict[str, str]) -> None:
    """Write weights as `save_weights` does, with texts by name as the file's metadata."""
    tensors: dict[str, Tensor] = {}
    written: set[int] = set()
    for name, weight in weights.items():
        tensor = weight.detach().cpu().contiguous()
        memory = tensor.untyped_storage().data_ptr()
        # safetensors refuses tensors that share memory
        tensors[name] = tensor.clone() if memory in written else tensor
        written.add(memory)
    with _telling(path):
        write_atomically(path, lambda temporary: save_file(tensors, str(temporary), metadata))


@contextmanager
def _telling(path: Path) -> Iterator[None]:
    """Turn the errors of torch and safetensors about failed writing into OSError for `path`.

    Every RuntimeError and SafetensorError is turned, except an error of a GPU. The error number is
    ENOSPC if less than 64 MiB of the disk are free, else EIO with the library's message.
    """
    try:
        yield
    except (torch.AcceleratorError, torch.OutOfMemoryError):
        raise
    except (RuntimeError, SafetensorError) as error:
        told = " ".join(str(error).split())[:200]
        full = shutil.disk_usage(path.parent).free < _ALMOST_FULL
        code, text = (errno.ENOSPC, "No space left on device") if full else (errno.EIO, told)
        raise OSError(code, text, str(path)) from error


def save_frozen(checkpoints: Path, weights: Mapping[str, Tensor]) -> str | None:
    """Write frozen weights once for all trials that share them; return their name.

    checkpoints: the folder that holds the trials' checkpoint folders; the weights are written to
    frozen/NAME.safetensors in this folder. weights: tensors on the CPU, by name. The name is the
    first 24 hexadecimal digits of the SHA-256 of names and weights. If the file exists, nothing is
    written. The result is None, and nothing is written, if `weights` is empty. OSError is raised
    if the file cannot be written.
    """
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
    """Write a trial's best weights, without the frozen ones, to `best.safetensors` in a folder.

    folder: the trial's checkpoint folder, which is made if it does not exist. frozen: the name
    that `save_frozen` returned, or None if nothing is frozen; the name is stored in the file's
    metadata. OSError is raised if the file cannot be written.
    """
    _save(folder / BEST, weights, {} if frozen is None else {FROZEN: frozen})


def load_best(folder: Path) -> dict[str, Tensor]:
    """Return a trial's best weights by name, on the CPU, the frozen weights included.

    folder: the trial's checkpoint folder. InvalidInput is raised if `best.safetensors` or the file
    of its frozen weights is missing, unreadable or damaged (see `load_weights`).
    """
    weights, frozen = load_weights(folder / BEST), frozen_name(folder)
    if frozen is None:
        return weights
    return load_weights(folder.parent / FROZEN / f"{frozen}.safetensors") | weights


def frozen_name(folder: Path) -> str | None:
    """Return the name of the frozen weights that belong to a trial's best weights, or None.

    folder: the trial's checkpoint folder. None means that nothing is frozen. Only the header of
    `best.safetensors` is read. InvalidInput is raised if the file is missing or its header is
    damaged.
    """
    try:
        with safe_open(str(folder / BEST), framework="pt") as file:
            name: str | None = (file.metadata() or {}).get(FROZEN)
    except (OSError, SafetensorError) as error:
        raise InvalidInput(_damaged(folder / BEST, error)) from None
    return name


def load_weights(path: Path) -> dict[str, Tensor]:
    """Return the weights in a safetensors file, by name, on the CPU.

    InvalidInput is raised if the file is missing, unreadable, of the wrong length or without a
    correct header. Damage within the numbers is not found, because the format has no checksum.
    """
    try:
        weights: dict[str, Tensor] = load_file(str(path))
    except (OSError, SafetensorError) as error:
        raise InvalidInput(_damaged(path, error)) from None
    return weights


def _damaged(path: Path, error: Exception) -> str:
    """Return the message about a safetensors file that cannot be read because of an error."""
    return f"{path} is not a whole safetensors file ({error})"
