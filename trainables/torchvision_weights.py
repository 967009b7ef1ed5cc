"""torchvision's own weights: downloaded once into torch's cache, or read from a file."""

import os
from collections.abc import Collection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import torch
from torch import nn
from torchvision.models import WeightsEnum

from trainables.pretrained_weights import (
    IMAGENET,
    NONE,
    check_name,
    check_reachable,
    downloaded,
    fill,
    read_state,
)


def cached_file(published: WeightsEnum) -> Path:
    """Where torch keeps the download of these weights, there already or not."""
    return Path(torch.hub.get_dir()) / "checkpoints" / os.path.basename(published.url)


def _download(published: WeightsEnum) -> dict[str, Any]:
    """The state_dict, from torch's cache if it is there, whole by its name's checksum."""
    model = os.path.basename(published.url).partition("-")[0]  # resnet50-0676ba61.pth
    if not cached_file(published).is_file():
        address = urlsplit(published.url)
        check_reachable(model, published.url, host=f"{address.scheme}://{address.netloc}")
    state: dict[str, Any] = downloaded(
        model,
        published.url,
        lambda: published.get_state_dict(progress=False, check_hash=True),
    )
    return state


def check_weights(weights: str, published: WeightsEnum) -> None:
    """ValueError unless the weights are here; imagenet's are downloaded if they are not."""
    check_name(weights)
    if weights == IMAGENET and not cached_file(published).is_file():
        _download(published)


def fill_from_torchvision(
    model: nn.Module, weights: str, published: WeightsEnum, *, optional: Collection[str] = ()
) -> None:
    """Load what a config calls `weights` into a torchvision model without its classifier.

    `optional` names entries of the model which the weights may lack.
    """
    check_name(weights)
    if weights == NONE:
        return
    if weights == IMAGENET:
        fill(model, _download(published), source=published.url, optional=optional)
    else:
        fill(model, read_state(Path(weights)), source=weights, optional=optional)
