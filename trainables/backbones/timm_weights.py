"""The weights of timm's models: downloaded, or read from a file of many kinds."""

import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import timm
from huggingface_hub import constants, try_to_load_from_cache
from torch import Tensor, nn

from search_spaces.declaration import InvalidInput, Notice
from trainables.backbones.efficientnet_names import in_timms_names, is_efficientnet_pytorch
from trainables.backbones.hub_models import (
    WEIGHT_FILES,
    UnreachableModel,
    check_hub_weights,
    described,
    is_hub_name,
    timm_name,
)
from trainables.backbones.packaged_weights import packaged_weights
from trainables.backbones.pretrained_weights import (
    IMAGENET,
    Unreachable,
    check_finite,
    check_reachable,
    downloaded,
    fill,
    is_file,
)
from trainables.backbones.timm_models import (
    REFUSALS,
    created,
    published_weights,
    remove_classifier,
    short,
    timm_member,
)
from trainables.backbones.weight_files import read_state
from trainables.backbones.weight_names import FOR_GREY, Ambiguous
from trainables.files import DAMAGE, PICKLE_DAMAGE

_LEVELS = 4  # prefixes that are removed from the names of weights, such as `state_dict.module.`


def timm_model(architecture: str, weights: str, *, side: int) -> nn.Module:
    """Return a timm model with the given weights, without its classifier and pooling.

    A model of a family that does not allow to remove the two keeps them. architecture: `timm:` and
    timm's name of the model. weights: "imagenet", "none" or a path. side: the side in pixels of
    the images, for a model that needs to know the side. ImageNet's weights are read from an
    installed package that holds them (see `packaged_weights`), or else downloaded if the hub's or
    torch's cache lacks them. A model or weights that cannot be had raise InvalidInput, as does a
    damaged file in a cache.
    """
    name = timm_member(architecture)
    options = _options(name, side)
    packaged = packaged_weights(name) if weights == IMAGENET else None
    weights = weights if packaged is None else str(packaged)
    if weights == IMAGENET:
        model = _downloaded(architecture, name, options)
    else:
        model = created(timm_name(name), options)
    classifiers = remove_classifier(model)
    if not is_file(weights):
        return model
    state = _with_timms_names(read_state(Path(weights)), model, name, source=weights)
    try:
        fill(model, state, source=weights, classifiers=classifiers)
    except Ambiguous:
        raise
    except InvalidInput:
        converted = _converted(name, state, options)
        if converted is None:
            raise
        check_finite(converted, source=weights)
        return converted
    return model


def _with_timms_names(
    state: dict[str, Tensor], model: nn.Module, name: str, *, source: str
) -> dict[str, Tensor]:
    """Return the tensors of a file with the names of a timm model, if a table gives the names.

    The table is that of EfficientNet-PyTorch; other tensors are returned unchanged. state: the
    tensors by name. model: the timm model. name: timm's name of the model. source: the file, for
    the message. InvalidInput is raised if the model computes otherwise than EfficientNet-PyTorch:
    timm's `tf_...` alone pad images and normalise batches in the same way.
    """
    if not is_efficientnet_pytorch(state):
        return state
    if not name.startswith("tf_efficientnet"):
        raise InvalidInput(
            f"{source} holds weights of EfficientNet-PyTorch, which are those of timm's "
            f"tf_efficientnet models, such as timm:tf_efficientnet_lite0, not of {name}"
        )
    return in_timms_names(state, model.state_dict())


def _options(name: str, side: int) -> dict[str, Any]:
    """Return the arguments of timm.create_model, by name, for the model `name`.

    A model for images of a fixed side is made for images of `side` pixels, and a model on the hub,
    which may be for greyscale images, for images of three colours.
    """
    published = published_weights(name)
    options: dict[str, Any] = {"in_chans": 3} if is_hub_name(name) else {}
    if published.fixed_input_size:
        options["img_size"] = side
    return options


def _downloaded(architecture: str, name: str, options: Mapping[str, Any]) -> nn.Module:
    """Return timm's model `name` with the weights that timm names for it.

    The weights are downloaded if a cache lacks them. The model is built with the classifier of the
    weights, because timm then refuses weights that do not fit. options: arguments of
    timm.create_model by name. A Notice says if the weights are for greyscale images.
    """
    check_timm_download(architecture)
    if is_hub_name(name):
        try:
            model = created(name, {"pretrained": True, **options})
        except OSError as error:
            raise UnreachableModel(name, short(error)) from None
    else:
        model = downloaded(
            architecture,
            _address(name),
            lambda: created(name, {"pretrained": True, **options}),
        )
    if published_weights(name).input_size[0] == 1:
        warnings.warn(f"{architecture}: the first layer {FOR_GREY}", Notice, stacklevel=2)
    check_finite(model, source=architecture)
    return model


def _converted(
    name: str, state: Mapping[str, Tensor], options: Mapping[str, Any]
) -> nn.Module | None:
    """Return timm's model `name` with weights that timm converts; None if timm refuses them.

    timm converts the names of some original publications, and the positions of transformers to
    another side. The weights are tried with and without each prefix that nearly all names have in
    common. state: the weights by name, with or without those of a classifier. options: arguments
    of timm.create_model by name. The model has no classifier and no pooling.
    """
    base = described(name)[0] if is_hub_name(name) else name
    for tensors in _without_common_prefixes(state):
        for is_bare in (False, True):
            overlay = {"state_dict": tensors, "source": "", "label_offset": 0}
            bare = {"num_classes": 0} if is_bare else {}
            try:
                model = timm.create_model(
                    base,
                    pretrained=True,
                    pretrained_cfg_overlay={**overlay, **bare},
                    **{**options, **bare},
                )
            except (*REFUSALS, *DAMAGE, *PICKLE_DAMAGE):
                continue
            remove_classifier(model)
            return model
    return None


def _without_common_prefixes(state: Mapping[str, Tensor]) -> Iterator[dict[str, Tensor]]:
    """Yield the tensors, then those below each first part of a name that most names share.

    The first part is removed from the names. At most four levels are yielded, and none without a
    tensor, because timm downloads weights in place of an empty mapping.
    """
    tensors = dict(state)
    for _ in range(_LEVELS):
        if not tensors:
            return
        yield dict(tensors)
        firsts = Counter(name.partition(".")[0] for name in tensors)
        ((first, count),) = firsts.most_common(1)
        if 2 * count <= len(tensors):
            return
        start = f"{first}."
        tensors = {n.removeprefix(start): t for n, t in tensors.items() if n.startswith(start)}


def _address(name: str) -> str:
    """Return the URL of the weights of timm's model `name`, which must have weights.

    The URL is on the Hugging Face hub if the weights are there. That URL names the file
    model.safetensors, though the hub may hold another file instead.
    """
    published = published_weights(name)
    if published.hf_hub_id:
        return f"{constants.ENDPOINT}/{published.hf_hub_id}/resolve/main/{WEIGHT_FILES[0]}"
    return str(published.url)


def check_timm_download(architecture: str) -> None:
    """Raise Unreachable if the weights of a timm model cannot be downloaded.

    Weights that an installed package holds need no download. The error is raised if timm knows no
    weights of the model, or if the weights are on the Hugging Face hub, not in the hub's cache,
    and the hub does not answer. Weights at other addresses are not tried, and nothing is
    downloaded. An unknown model raises InvalidInput.
    """
    name = timm_member(architecture)
    if is_hub_name(name):
        return check_hub_weights(name)
    if packaged_weights(name) is not None:
        return None
    hub_id = published_weights(name).hf_hub_id
    if not (hub_id or published_weights(name).url):
        raise Unreachable(architecture, "a file of them", "timm knows none")
    cached = hub_id and any(
        isinstance(try_to_load_from_cache(hub_id, file), str) for file in WEIGHT_FILES
    )
    if hub_id and not cached:
        check_reachable(architecture, _address(name), host=constants.ENDPOINT)
