"""Checkpoints on disk: the last state of a run, and the weights of its best epoch."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from trainables.files import write_atomically

LAST = "last.pt"
BEST = "best.safetensors"


def save_state(folder: Path, state: Mapping[str, Any]) -> None:
    """Write the state of a run as the folder's last checkpoint."""
    write_atomically(folder / LAST, lambda path: torch.save(dict(state), path))


def load_state(folder: Path, device: torch.device) -> dict[str, Any] | None:
    """The folder's last checkpoint, or None where there is none."""
    path = folder / LAST
    if not path.exists():
        return None
    state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    return state


def save_weights(path: Path, weights: Mapping[str, Tensor]) -> None:
    """Write weights as safetensors."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    write_atomically(path, lambda temporary: save_file(tensors, str(temporary)))


def load_weights(path: Path) -> dict[str, Tensor]:
    """Read weights from safetensors; ValueError if the file is not whole."""
    try:
        weights: dict[str, Tensor] = load_file(str(path))
    except (OSError, SafetensorError) as error:
        raise ValueError(f"{path} is not a whole safetensors file ({error})") from None
    return weights
