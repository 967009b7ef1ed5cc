"""The weights of a backbone: from a library's download, from a file, or none."""

import http.client
import urllib.error
import urllib.request
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from search_spaces.declaration import InvalidInput
from trainables.files import DAMAGE, PICKLE_DAMAGE, load_weights, one_line

NONE, IMAGENET = "none", "imagenet"
FILE_SUFFIXES = (".pth", ".pt", ".safetensors")
_REACH_SECONDS = 10


class Unreachable(InvalidInput):
    """An error that is raised when weights could not be downloaded.

    The message says how to fetch the weights on another machine.
    """

    def __init__(self, model: str, url: str, reason: str) -> None:
        """Make the message.

        model: name of the model. url: address of the weights, or words for it. reason: why the
        download failed.
        """
        super().__init__(
            f"the imagenet weights of {model} cannot be downloaded ({reason}); fetch {url} on a "
            "machine with a network, copy the file here and give --set weights=FILE (in a search "
            f"of several networks --set {model}.weights=FILE), or do without: --set weights=none"
        )


def check_name(weights: str) -> None:
    """Raise InvalidInput unless `weights` is "imagenet", "none" or an existing weight file.

    weights: the value of the config's field. A weight file has the suffix .pth, .pt or
    .safetensors, in lower case. The content of the file is not checked. PermissionError is raised
    if the file's folder may not be entered.
    """
    if not is_file(weights):
        return
    if Path(weights).suffix not in FILE_SUFFIXES:
        raise InvalidInput(
            f"weights must be imagenet, none or a {', '.join(FILE_SUFFIXES)} file, got {weights!r}"
        )
    if not Path(weights).is_file():
        raise InvalidInput(f"no weight file {weights}")


def is_file(weights: str) -> bool:
    """Return True if a config's `weights` names a file, that is neither "imagenet" nor "none".

    The file need not exist (see `check_name`).
    """
    return weights not in (NONE, IMAGENET)


def read_state(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a weight file by name, on the CPU.

    In a .pth or .pt file the tensors may be under the key `state_dict` or `model`, and the prefix
    `module.`, which parallel training adds, is removed from the names. In a .safetensors file the
    names stay as they are. InvalidInput is raised, with one line, if the file is missing or
    damaged, holds anything but tensors by name, or holds Python objects that torch.load refuses.
    """
    if path.suffix == ".safetensors":
        return load_weights(path)
    try:
        loaded: Any = torch.load(path, map_location="cpu", weights_only=True)
    except (*DAMAGE, *PICKLE_DAMAGE) as error:
        raise InvalidInput(f"{path} is not a whole weight file ({one_line(error)})") from None
    for key in ("state_dict", "model"):
        if isinstance(loaded, Mapping) and isinstance(loaded.get(key), Mapping):
            loaded = loaded[key]
    if not isinstance(loaded, Mapping) or not all(isinstance(v, Tensor) for v in loaded.values()):
        raise InvalidInput(f"{path} holds no state_dict of tensors")
    return {str(name).removeprefix("module."): tensor for name, tensor in loaded.items()}


def fill(
    model: nn.Module, state: Mapping[str, Tensor], *, source: str, optional: Collection[str] = ()
) -> None:
    """Load weights into a model, in place; weights that the model does not have are ignored.

    Ignored weights are for example those of a classifier. state: the weights by name. source:
    where the weights are from, for the error message. optional: names of the model's entries that
    `state` may lack; BatchNorm's counts of batches (`num_batches_tracked`) may be lacking as well.
    An entry that is lacking keeps its value. Another missing entry, or an entry of another shape,
    raises InvalidInput, and the model stays unchanged.
    """
    own = model.state_dict()
    usable = {name: tensor for name, tensor in state.items() if name in own}
    wrong = [name for name in usable if usable[name].shape != own[name].shape]
    needed = [n for n in own if n not in optional and not n.endswith("num_batches_tracked")]
    lacking = [name for name in needed if name not in usable]
    if wrong or lacking:
        example = (wrong or lacking)[0]
        what = "in another shape" if wrong else "not at all"
        raise InvalidInput(
            f"{source} does not hold the weights of this backbone: {len(wrong) + len(lacking)} of "
            f"{len(own)} entries do not fit, {example} is there {what}"
        )
    model.load_state_dict(usable, strict=False)


def check_reachable(model: str, url: str, *, host: str) -> None:
    """Raise Unreachable if the server `host` does not answer within ten seconds.

    The check saves time, because libraries try a download for a minute. An HTTP error code counts
    as an answer; an answer that is not HTTP does not. model: name of the model. url: address of
    the weights. Both are for the message. host: the server's URL, such as https://huggingface.co;
    a URL without `https://` raises Unreachable too.
    """
    try:
        urllib.request.urlopen(
            urllib.request.Request(host, method="HEAD"), timeout=_REACH_SECONDS
        ).close()
    except urllib.error.HTTPError:
        return  # the server answered, though with an error code
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise Unreachable(model, url, one_line(error)) from None


def downloaded(model: str, url: str, download: Callable[[], Any]) -> Any:
    """Return what the function `download` returns.

    An OSError of `download`, such as a failed network, becomes Unreachable; other errors pass
    unchanged. model: name of the model. url: address of the weights. Both are for the message.
    """
    try:
        return download()
    except OSError as error:
        raise Unreachable(model, url, one_line(error)) from None
