"""Weights of torchvision's models: downloaded once into torch's cache, or read from a file."""

import os
from collections.abc import Collection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import torch
from torch import Tensor, nn
from torchvision.models import WeightsEnum

from search_spaces.declaration import InvalidInput
from trainables.backbones.pretrained_weights import (
    IMAGENET,
    NONE,
    check_name,
    check_reachable,
    downloaded,
    fill,
)
from trainables.backbones.weight_files import read_state
from trainables.files import one_line


def cached_file(published: WeightsEnum) -> Path:
    """Return the path at which torch stores a download of torchvision's weights `published`.

    The file is in torch's cache, `hub/checkpoints` in $TORCH_HOME or `~/.cache/torch`. The file
    may not exist.
    """
    return Path(torch.hub.get_dir()) / "checkpoints" / os.path.basename(published.url)


def _download(published: WeightsEnum) -> dict[str, Tensor]:
    """Return a model's state_dict from torch's cache; download the weights first if needed.

    published: torchvision's weights of the model. A download that fails, or that has another
    checksum than the one in the file's name, raises Unreachable. A file that is in the cache
    already and is damaged raises InvalidInput.
    """
    cached = cached_file(published)
    if cached.is_file():
        try:
            return read_state(cached)
        except InvalidInput as error:
            raise InvalidInput(f"{error}; delete the file to download it again") from None
    model = os.path.basename(published.url).partition("-")[0]  # resnet50-0676ba61.pth
    address = urlsplit(published.url)
    check_reachable(model, published.url, host=f"{address.scheme}://{address.netloc}")
    state: dict[str, Tensor] = downloaded(model, published.url, lambda: _fetched(published))
    return state


def _fetched(published: WeightsEnum) -> dict[str, Any]:
    """Return a model's state_dict, downloaded into torch's cache; OSError if that fails."""
    try:
        state: dict[str, Any] = dict(published.get_state_dict(progress=False, check_hash=True))
    except RuntimeError as error:  # the checksum is wrong
        raise OSError(one_line(error)) from None
    return state


def check_weights(weights: str, published: WeightsEnum) -> None:
    """Raise InvalidInput unless the weights are on this machine or can be downloaded.

    weights: "imagenet", "none" or a path. published: torchvision's weights for "imagenet", which
    are downloaded if torch's cache lacks them. A failed download raises Unreachable, which is an
    InvalidInput. The content of a file, in the cache or elsewhere, is not checked.
    """
    check_name(weights)
    if weights == IMAGENET and not cached_file(published).is_file():
        _download(published)


def fill_from_torchvision(
    model: nn.Module,
    weights: str,
    published: WeightsEnum,
    *,
    optional: Collection[str] = (),
    classifiers: Collection[str] = (),
) -> None:
    """Load weights into a torchvision model without its classifier, in place.

    weights: "imagenet", "none" or a path; "none" leaves the model as it is. published:
    torchvision's weights for "imagenet", which are downloaded if torch's cache lacks them.
    optional: names of the model's entries that the weights may lack. classifiers: names of the
    modules that were removed from the model. Weights that do not fit, or that cannot be had, raise
    InvalidInput.
    """
    check_name(weights)
    if weights == NONE:
        return
    state = _download(published) if weights == IMAGENET else read_state(Path(weights))
    source = published.url if weights == IMAGENET else weights
    fill(model, state, source=source, optional=optional, classifiers=classifiers)
