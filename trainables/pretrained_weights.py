"""Weights of a backbone: from a library's own download, from a file, or none."""

import pickle
import urllib.error
import urllib.request
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from trainables.checkpoint import load_weights
from trainables.galaxies.damage import DAMAGE, one_line

NONE, IMAGENET = "none", "imagenet"
FILE_SUFFIXES = (".pth", ".pt", ".safetensors")
_REACH_SECONDS = 10


class Unreachable(ValueError):
    """Weights could not be downloaded; the message says how to fetch them elsewhere."""

    def __init__(self, model: str, url: str, reason: str) -> None:
        """Name of the model, address of its weights, why they cannot be had."""
        super().__init__(
            f"the imagenet weights of {model} cannot be downloaded ({reason}); fetch {url} on a "
            "machine with a network, copy the file here and give --set weights=FILE (in a search "
            f"of several networks --set {model}.weights=FILE), or do without: --set weights=none"
        )


def check_name(weights: str) -> None:
    """ValueError unless `weights` is imagenet, none, or the name of an existing weight file."""
    if not is_file(weights):
        return
    if Path(weights).suffix not in FILE_SUFFIXES:
        raise ValueError(
            f"weights must be imagenet, none or a {', '.join(FILE_SUFFIXES)} file, got {weights!r}"
        )
    if not Path(weights).is_file():
        raise ValueError(f"no weight file {weights}")


def is_file(weights: str) -> bool:
    """Whether a config's `weights` name a file."""
    return weights not in (NONE, IMAGENET)


def read_state(path: Path) -> dict[str, Tensor]:
    """The tensors of a weight file; ValueError in one line if it is damaged or holds others."""
    if path.suffix == ".safetensors":
        return load_weights(path)
    try:
        loaded: Any = torch.load(path, map_location="cpu", weights_only=True)
    except (*DAMAGE, pickle.UnpicklingError) as error:
        raise ValueError(f"{path} is not a whole weight file ({one_line(error)})") from None
    for key in ("state_dict", "model"):
        if isinstance(loaded, Mapping) and isinstance(loaded.get(key), Mapping):
            loaded = loaded[key]
    if not isinstance(loaded, Mapping) or not all(isinstance(v, Tensor) for v in loaded.values()):
        raise ValueError(f"{path} holds no state_dict of tensors")
    return {str(name).removeprefix("module."): tensor for name, tensor in loaded.items()}


def fill(
    model: nn.Module, state: Mapping[str, Tensor], *, source: str, optional: Collection[str] = ()
) -> None:
    """Load a state_dict, leaving out its classifier; ValueError if it is not of this model.

    `optional` names entries of the model which the file may lack.
    """
    own = model.state_dict()
    usable = {name: tensor for name, tensor in state.items() if name in own}
    wrong = [name for name in usable if usable[name].shape != own[name].shape]
    needed = [n for n in own if n not in optional and not n.endswith("num_batches_tracked")]
    lacking = [name for name in needed if name not in usable]
    if wrong or lacking:
        example = (wrong or lacking)[0]
        what = "in another shape" if wrong else "not at all"
        raise ValueError(
            f"{source} does not hold the weights of this backbone: {len(wrong) + len(lacking)} of "
            f"{len(own)} entries do not fit, {example} is there {what}"
        )
    model.load_state_dict(usable, strict=False)


def check_reachable(model: str, url: str, *, host: str) -> None:
    """Unreachable if `host` does not answer within ten seconds; libraries try for a minute."""
    try:
        urllib.request.urlopen(
            urllib.request.Request(host, method="HEAD"), timeout=_REACH_SECONDS
        ).close()
    except urllib.error.HTTPError:
        return  # it answered
    except OSError as error:
        raise Unreachable(model, url, one_line(error)) from None


def downloaded(model: str, url: str, download: Callable[[], Any]) -> Any:
    """What `download` returns; Unreachable where the network fails."""
    try:
        return download()
    except OSError as error:
        raise Unreachable(model, url, one_line(error)) from None
