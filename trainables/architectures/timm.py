"""Any backbone of the timm library (Wightman, pytorch-image-models) under the ResNet-50's head."""

import math
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import timm
import torch
from huggingface_hub import constants, try_to_load_from_cache
from safetensors import SafetensorError
from timm.models import PretrainedCfg, group_parameters
from torch import Tensor, nn

from search_spaces.declaration import InvalidInput, Notice, did_you_mean
from search_spaces.timm import Config
from trainables.backbones import (
    FOR_GREY,
    IMAGENET,
    NONE,
    Ambiguous,
    FineTunedNetwork,
    Head,
    Unreachable,
    UnreachableModel,
    check_finite,
    check_hub_weights,
    check_name,
    check_reachable,
    described,
    downloaded,
    fill,
    freeze_unreached,
    groups_by_part,
    input_normalisation,
    is_file,
    is_hub_name,
    read_state,
    stages_by_group,
    timm_name,
)
from trainables.files import DAMAGE, PICKLE_DAMAGE, one_line

SOURCE = "the timm library's model of that name, under the head of the ResNet-50"
_LEVELS = 4  # prefixes that are removed from the names of weights, such as `state_dict.module.`
_LONGEST = 200  # characters that are kept of another library's message
_WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin")
# The errors of timm's models for what a model cannot do, of which each family raises another one,
# and the errors of a damaged file of weights in a cache.
_REFUSALS = (
    AssertionError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
    SafetensorError,
    UnpicklingError,
)


class FeatureMap(nn.Module):
    """A layer that runs a timm model and turns its output, a map or tokens, into a map.

    The layer maps normalised images [B, 3, S, S] to [B, C, h, w].

    model: the timm model. by_call: True to call the model, False to call its `forward_features`.
    channels_last: True if the model's maps are [B, h, w, C]. num_left_out: number of class and
    register tokens that the last forward pass left out; 0 before any pass and for maps.
    """

    def __init__(self, model: nn.Module, *, by_call: bool = True) -> None:
        """Store a timm model without classifier and pooling.

        by_call: True to call the model, False to call its `forward_features`.
        """
        super().__init__()
        self.model, self.by_call = model, by_call
        self.channels_last = getattr(model, "output_fmt", "NCHW") == "NHWC"
        self.num_left_out = 0

    def forward(self, images: Tensor) -> Tensor:
        """Map normalised images [B, 3, S, S] to [B, C, h, w].

        If the model has several outputs, the last output is taken, which is the deepest. An output
        that is neither a map nor tokens of a square raises InvalidInput. Errors of the model, for
        example at images of a wrong side, pass unchanged. `num_left_out` is set if the output is
        tokens.
        """
        if self.by_call:
            output = self.model(images)  # a call of the module runs the hooks of explanations
        else:
            output = self.model.forward_features(images)  # type: ignore[operator]
        last = output[-1] if isinstance(output, (tuple, list)) else output
        mapped = self._mapped(last) if isinstance(last, Tensor) else None
        if mapped is None:
            shape = list(getattr(last, "shape", []))
            raise InvalidInput(f"no map of features, but {type(last).__name__} {shape}")
        return mapped

    def _mapped(self, output: Tensor) -> Tensor | None:
        """Return an output as a map [B, C, h, w], or None if it is neither a map nor tokens.

        Tokens [B, N, C] must fill a square, with or without class and register tokens before it;
        then `num_left_out` is set.
        """
        if output.ndim == 4:
            return output.permute(0, 3, 1, 2) if self.channels_last else output
        if output.ndim != 3:
            return None
        known = getattr(self.model, "num_prefix_tokens", None)
        for left_out in (0, 1, 2) if known is None else (int(known), 0):
            side = math.isqrt(max(0, output.shape[1] - left_out))
            if side and side**2 == output.shape[1] - left_out:
                self.num_left_out = left_out
                return output[:, left_out:].transpose(1, 2).unflatten(2, (side, side))
        return None


@contextmanager
def _refused_as(message: str) -> Iterator[None]:
    """Turn the errors of a timm model into InvalidInput with one line that begins with `message`.

    The errors are those of _REFUSALS, InvalidInput among them. An OSError, and any other error,
    passes unchanged.
    """
    try:
        yield
    except OSError:  # a failed download; those of the hub are ValueErrors as well
        raise
    except _REFUSALS as error:
        raise InvalidInput(f"{message}: {one_line(error)[:_LONGEST]}") from None


def member(config: Config) -> str:
    """Return timm's name of a config's model, that is the architecture without `timm:`.

    A model or a tag of weights that timm does not know raises InvalidInput, whose message offers
    the nearest name if one is near. The description of a model on the Hugging Face hub is
    downloaded if the hub's cache lacks it; Unreachable is raised if it cannot be had. Whether the
    model has weights is not checked.
    """
    name = config.architecture.removeprefix("timm:")
    if is_hub_name(name):
        described(name)
        return name
    base = name.partition(".")[0]
    if not timm.is_model(base):
        hint = did_you_mean(base, timm.list_models()) if base else ""
        near = hint if "did you mean" in hint else "; timm.list_models() names them"
        raise InvalidInput(f"timm {timm.__version__} has no model {name!r}{near}")
    try:
        timm.get_pretrained_cfg(name)
    except RuntimeError:
        tags = timm.list_pretrained(f"{base}.*")
        near = did_you_mean(name, tags) if tags else "; there are none of that model"
        raise InvalidInput(f"timm {timm.__version__} has no weights {name!r}{near}") from None
    return name


def _published(name: str) -> PretrainedCfg:
    """Return what timm knows of a model's weights, such as their input size and address.

    name: timm's name of the model, which must exist. A model without weights has the defaults of
    PretrainedCfg, without addresses and with a side of 224 pixels.
    """
    if is_hub_name(name):
        return described(name)[1]
    return timm.get_pretrained_cfg(name) or PretrainedCfg()


def _image_side(config: Config, name: str) -> int:
    """Return the side in pixels of the images that a config's network reads.

    The side is the config's `input_side`, or, if `input_side` is None, the side that timm's model
    `name` was trained with, 224 if timm does not know that side.
    """
    return config.input_side or _published(name).input_size[-1]


def _model(config: Config, name: str) -> nn.Module:
    """Return a timm model with the config's weights, without its classifier and pooling.

    A model of a family that does not allow to remove the two keeps them. name: timm's name of the
    model. ImageNet's weights are downloaded if the hub's or torch's cache lacks them. A model or
    weights that cannot be had raise InvalidInput, as does a damaged file in a cache.
    """
    options = _options(config, name)
    if config.weights == IMAGENET:
        model = _downloaded(config, name, options)
    else:
        model = _created(timm_name(name), options)
    classifiers = _remove_classifier(model)
    if not is_file(config.weights):
        return model
    state = read_state(Path(config.weights))
    try:
        fill(model, state, source=config.weights, classifiers=classifiers)
    except Ambiguous:
        raise
    except InvalidInput:
        converted = _converted(name, state, options)
        if converted is None:
            raise
        check_finite(converted, source=config.weights)
        return converted
    return model


def _options(config: Config, name: str) -> dict[str, Any]:
    """Return the arguments of timm.create_model, by name, for the model `name` of a config.

    A model for images of a fixed side is made for the config's side, and a model on the hub, which
    may be for greyscale images, for images of three colours.
    """
    published = _published(name)
    options: dict[str, Any] = {"in_chans": 3} if is_hub_name(name) else {}
    if published.fixed_input_size:
        options["img_size"] = _image_side(config, name)
    return options


def _downloaded(config: Config, name: str, options: Mapping[str, Any]) -> nn.Module:
    """Return timm's model `name` with the weights that timm names for it.

    The weights are downloaded if a cache lacks them. The model is built with the classifier of the
    weights, because timm then refuses weights that do not fit. options: arguments of
    timm.create_model by name. A Notice says if the weights are for greyscale images.
    """
    _check_download(config)
    if is_hub_name(name):
        try:
            model = _created(name, {"pretrained": True, **options})
        except OSError as error:
            raise UnreachableModel(name, one_line(error)[:_LONGEST]) from None
    else:
        model = downloaded(
            config.architecture,
            _address(name),
            lambda: _created(name, {"pretrained": True, **options}),
        )
    if _published(name).input_size[0] == 1:
        warnings.warn(f"{config.architecture}: the first layer {FOR_GREY}", Notice, stacklevel=2)
    check_finite(model, source=config.architecture)
    return model


def _remove_classifier(model: nn.Module) -> set[str]:
    """Remove a timm model's classifier and pooling, in place; return the classifier's modules.

    A family that does not allow to remove the pooling, or the classifier, keeps it; FeatureMap
    then uses `forward_features`.
    """
    before = set(model.state_dict())
    for pooling in ("", None):  # "" removes the pooling; None keeps it if the family refuses ""
        try:
            model.reset_classifier(0, pooling)  # type: ignore[operator]
            break
        except _REFUSALS:
            continue
    removed = before - set(model.state_dict())
    return {name.rpartition(".")[0] or name for name in removed}


def _created(name: str, options: Mapping[str, Any]) -> nn.Module:
    """Return timm's model `name` built with `options`; InvalidInput if it cannot be built.

    options: arguments of timm.create_model by name. With `pretrained` the weights are downloaded
    if a cache lacks them; OSError is raised if the download fails.
    """
    with _refused_as(f"timm's {name} cannot be built"):
        return timm.create_model(name, **options)


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
            except (*_REFUSALS, *DAMAGE, *PICKLE_DAMAGE):
                continue
            _remove_classifier(model)
            return model
    return None


def _without_common_prefixes(state: Mapping[str, Tensor]) -> Iterator[dict[str, Tensor]]:
    """Yield the tensors, then those below each first part of a name that most names share.

    The first part is removed from the names. At most four levels are yielded.
    """
    tensors = dict(state)
    for _ in range(_LEVELS):
        yield dict(tensors)
        firsts = Counter(name.partition(".")[0] for name in tensors)
        (first, count), *_ = firsts.most_common(1) or [("", 0)]
        if 2 * count <= len(tensors):
            return
        start = f"{first}."
        tensors = {n.removeprefix(start): t for n, t in tensors.items() if n.startswith(start)}


def _address(name: str) -> str:
    """Return the URL of the weights of timm's model `name`, which must have weights.

    The URL is on the Hugging Face hub if the weights are there. That URL names the file
    model.safetensors, though the hub may hold another file instead.
    """
    published = _published(name)
    if published.hf_hub_id:
        return f"{constants.ENDPOINT}/{published.hf_hub_id}/resolve/main/{_WEIGHT_FILES[0]}"
    return str(published.url)


def _check_download(config: Config) -> None:
    """Raise Unreachable if the weights of a config's model cannot be downloaded.

    The error is raised if timm knows no weights of the model, or if the weights are on the Hugging
    Face hub, not in the hub's cache, and the hub does not answer. Weights at other addresses are
    not tried, and nothing is downloaded. An unknown model raises InvalidInput.
    """
    name = member(config)
    if is_hub_name(name):
        return check_hub_weights(name)
    hub_id = _published(name).hf_hub_id
    if not (hub_id or _published(name).url):
        raise Unreachable(config.architecture, "a file of them", "timm knows none")
    cached = hub_id and any(
        isinstance(try_to_load_from_cache(hub_id, file), str) for file in _WEIGHT_FILES
    )
    if hub_id and not cached:
        check_reachable(config.architecture, _address(name), host=constants.ENDPOINT)


def build(config: Config) -> FineTunedNetwork:
    """Return the network of a config, with timm's backbone and an untrained head.

    The backbone's weights are those of `config.weights`: ImageNet's, which are downloaded if the
    hub's or torch's cache lacks them, those of a file, or random ones for "none". The stages that
    the config does not train are frozen. Random weights are drawn from torch's global random
    state. InvalidInput is raised for a model that timm does not know or cannot build or train, or
    that gives no map, and for weights that do not fit, are damaged or cannot be had.
    """
    check_name(config.weights)
    name = member(config)
    model = _model(config, name)
    side = _image_side(config, name)
    published = _published(name)
    backbone, num_channels = _backbone(model, name, side)
    if config.unfreeze != "head":
        with _refused_as(f"timm's {name} cannot be trained"):
            freeze_unreached(backbone, side, leaves_out=backbone.num_left_out > 0)
    stages = stages_by_group(_groups(model), model)
    pool = nn.AdaptiveMaxPool2d(1) if config.pooling == "max" else nn.AdaptiveAvgPool2d(1)
    return FineTunedNetwork(
        backbone,
        nn.Sequential(pool, nn.Flatten()),
        Head(num_channels, config.head_width or num_channels, config.head_dropout, config.head),
        config=config,
        normalisation=input_normalisation(config, _three(published.mean), _three(published.std)),
        stages=[[f"model.{name}" for name in stage] for stage in stages],
        image_side=side,
    )


def _three(values: Sequence[float]) -> Sequence[float]:
    """Return three numbers, one for each colour, also if one number is given for grey."""
    return tuple(values) * 3 if len(values) == 1 else values


@torch.no_grad()
def _backbone(model: nn.Module, name: str, side: int) -> tuple[FeatureMap, int]:
    """Return a model as a FeatureMap, and C, the number of channels of its map.

    The FeatureMap calls the model, or its `forward_features` if the call gives no map of a black
    image of `side` x `side` pixels. If neither gives a map, InvalidInput is raised. name: timm's
    name of the model, for the message. The model is left in evaluation mode.
    """
    refusals = []
    for by_call in (True, False):
        backbone = FeatureMap(model, by_call=by_call).eval()
        try:
            return backbone, int(backbone(torch.zeros(1, 3, side, side)).shape[1])
        except _REFUSALS as error:
            refusals.append(one_line(error)[:_LONGEST])
    raise InvalidInput(f"timm's {name} makes no map of images of {side} pixels: {refusals[0]}")


def _groups(model: nn.Module) -> list[list[str]]:
    """Return the names of a model's parameters in groups, from the input to the output.

    The groups are timm's coarse groups if the model has such groups, otherwise timm's fine groups,
    and the parts of the model (see `groups_by_part`) if timm has no groups at all.
    """
    for coarse in (True, False):
        try:
            matcher = model.group_matcher(coarse=coarse)  # type: ignore[operator]
            return list(group_parameters(model, matcher).values())
        except _REFUSALS:
            continue
    return groups_by_part(model)


def check(config: Config) -> None:
    """Raise InvalidInput if a config's model or weights cannot be had on this machine.

    The model must be known to timm and must give a map. ImageNet's weights are not downloaded: the
    Hugging Face hub must answer if its cache lacks them, and weights elsewhere are not looked for.
    The model is built once with random weights, and then with a file of weights if the config
    names a file. An error of the second step is therefore an error of the file.
    """
    check_name(config.weights)
    member(config)
    if config.weights == IMAGENET:
        _check_download(config)
    build(config.model_copy(update={"weights": NONE}))
    if is_file(config.weights):
        build(config)
