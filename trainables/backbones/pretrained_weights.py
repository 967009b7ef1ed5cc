"""The weights of a backbone: from a library's download, from a file, or none."""

import http.client
import urllib.error
import urllib.request
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from search_spaces.declaration import InvalidInput, check_regular, did_you_mean
from trainables.backbones.weight_names import Wanted, fitting
from trainables.files import one_line

NONE, IMAGENET = "none", "imagenet"
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
    """Raise InvalidInput unless `weights` is "imagenet", "none" or an existing regular file.

    weights: the value of the config's field. The content of the file is not checked (see
    `read_state`). PermissionError is raised if the file's folder may not be entered.
    """
    if not is_file(weights):
        return
    if Path(weights).exists():
        check_regular(Path(weights))
        return
    if Path(weights).suffix or Path(weights).is_absolute():
        raise InvalidInput(f"no weight file {weights}")
    hint = did_you_mean(weights, (IMAGENET, NONE))
    raise InvalidInput(f"weights must be imagenet, none or a weight file, got {weights!r}{hint}")


def is_file(weights: str) -> bool:
    """Return True if a config's `weights` names a file, that is neither "imagenet" nor "none".

    The file need not exist (see `check_name`).
    """
    return weights not in (NONE, IMAGENET)


def fill(
    model: nn.Module,
    state: Mapping[str, Tensor],
    *,
    source: str,
    optional: Collection[str] = (),
    classifiers: Collection[str] = (),
) -> None:
    """Load weights into a backbone, in place, whatever prefix their names have in a file.

    state: the weights by name. source: where the weights are from, for the messages. optional:
    names of the model's entries that `state` may lack; BatchNorm's counts of batches
    (`num_batches_tracked`) may be lacking as well. An entry that is lacking keeps its value.
    classifiers: names of the modules of the classifier that was removed from the model. Weights of
    a classifier or another head are ignored. Kernels of a first layer for greyscale images are
    repeated for three colours, with a Notice.

    Weights that are missing, of further layers, of another shape, ambiguous or not finite raise
    InvalidInput. The model stays unchanged then, except if weights are not finite.
    """
    wanted = Wanted(model.state_dict(), optional, classifiers)
    own = fitting(state, wanted, source=source)
    model.load_state_dict(own, strict=False)
    check_finite(model, source=source)


def check_finite(model: nn.Module, *, source: str) -> None:
    """Raise InvalidInput if a weight of a model is NaN or infinite.

    source: where the weights are from, for the message, which names the first such tensor.
    """
    statistics = [b for b in model.named_buffers() if b[0].endswith(("_mean", "_var"))]
    tensors = dict([*model.named_parameters(), *statistics])  # masks may be infinite
    wrong = [name for name, tensor in tensors.items() if not tensor.isfinite().all()]
    if wrong:
        raise InvalidInput(
            f"{source} holds numbers that are NaN or infinite, in {len(wrong)} of {len(tensors)} "
            f"entries, the first is {wrong[0]}; the weights are of a training that diverged"
        )


def check_reachable(model: str, url: str, *, host: str) -> None:
    """Raise Unreachable if the server `host` does not answer (see `check_server`).

    model: name of the model. url: address of the weights. Both are for the message.
    """
    reason = check_server(host)
    if reason:
        raise Unreachable(model, url, reason)


def check_server(host: str) -> str:
    """Return why a server does not answer within ten seconds; "" if the server answers.

    The check saves time, because libraries try a download for a minute. An HTTP error code counts
    as an answer; an answer that is not HTTP does not. host: the server's URL, such as
    https://huggingface.co; a URL that is wrong gives a reason too.
    """
    try:
        urllib.request.urlopen(
            urllib.request.Request(host, method="HEAD"), timeout=_REACH_SECONDS
        ).close()
    except urllib.error.HTTPError:
        pass  # the server answered, though with an error code
    except (OSError, ValueError, http.client.HTTPException) as error:
        return one_line(error)
    return ""


def downloaded(model: str, url: str, download: Callable[[], Any]) -> Any:
    """Return what the function `download` returns.

    An OSError of `download`, such as a failed network, becomes Unreachable; other errors pass
    unchanged. model: name of the model. url: address of the weights. Both are for the message.
    """
    try:
        return download()
    except OSError as error:
        raise Unreachable(model, url, one_line(error)) from None
