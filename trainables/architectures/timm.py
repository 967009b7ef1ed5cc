"""Any backbone of the timm library (Wightman, pytorch-image-models) below the ResNet-50's head."""

import math
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import timm
import torch
from huggingface_hub import constants, try_to_load_from_cache
from safetensors import SafetensorError
from timm.models import PretrainedCfg, group_parameters
from torch import Tensor, nn

from search_spaces.declaration.frozen_config import did_you_mean
from search_spaces.timm import Config
from trainables.fine_tuning import (
    FineTunedNetwork,
    Head,
    freeze_unreached,
    groups_by_part,
    input_normalisation,
    stages_by_group,
)
from trainables.galaxies.damage import DAMAGE, one_line
from trainables.pretrained_weights import (
    IMAGENET,
    NONE,
    Unreachable,
    check_name,
    check_reachable,
    downloaded,
    is_file,
)

SOURCE = "the timm library's model of that name, under the head of the ResNet-50"
_LONGEST = 200  # characters of another library's message
_WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin")
# How timm's models say that they cannot do a thing; each family does so in its own way.
_REFUSALS = (AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)


class FeatureMap(nn.Module):
    """A timm model whose output, map or tokens, is made a map: [B, 3, S, S] -> [B, C, h, w]."""

    def __init__(self, model: nn.Module, *, by_call: bool = True) -> None:
        """`model` without classifier and pooling, to be called or asked for `forward_features`."""
        super().__init__()
        self.model, self.by_call = model, by_call
        self.channels_last = getattr(model, "output_fmt", "NCHW") == "NHWC"
        self.num_left_out = 0  # class and register tokens, as the last forward pass found

    def forward(self, images: Tensor) -> Tensor:
        """Map [B, 3, S, S] to [B, C, h, w]; ValueError if the output, or its last part, is none.

        Of several outputs the last is the deepest.
        """
        if self.by_call:
            output = self.model(images)  # as a module, so that hooks on it see the output
        else:
            output = self.model.forward_features(images)  # type: ignore[operator]
        last = output[-1] if isinstance(output, (tuple, list)) else output
        mapped = self._mapped(last) if isinstance(last, Tensor) else None
        if mapped is None:
            shape = list(getattr(last, "shape", []))
            raise ValueError(f"no map of features, but {type(last).__name__} {shape}")
        return mapped

    def _mapped(self, output: Tensor) -> Tensor | None:
        """The map; tokens [B, N, C] fill a square behind class and register tokens."""
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
    """Turn whatever a model raises into a ValueError of one line that begins with `message`."""
    try:
        yield
    except OSError:  # a download's, though the hub's are ValueErrors too
        raise
    except _REFUSALS as error:
        raise ValueError(f"{message}: {one_line(error)[:_LONGEST]}") from None


def member(config: Config) -> str:
    """timm's name of the model; ValueError that offers the nearest if there is none such."""
    name = config.architecture.removeprefix("timm:")
    base = name.partition(".")[0]
    if not timm.is_model(base):
        hint = did_you_mean(base, timm.list_models()) if base else ""
        near = hint if "did you mean" in hint else "; timm.list_models() names them"
        raise ValueError(f"timm {timm.__version__} has no model {name!r}{near}")
    try:
        timm.get_pretrained_cfg(name)
    except RuntimeError:
        tags = timm.list_pretrained(f"{base}.*")
        near = did_you_mean(name, tags) if tags else "; there are none of that model"
        raise ValueError(f"timm {timm.__version__} has no weights {name!r}{near}") from None
    return name


def _published(name: str) -> PretrainedCfg:
    """What timm knows of the model's weights: their input and where they are."""
    return timm.get_pretrained_cfg(name) or PretrainedCfg()


def _image_side(config: Config, name: str) -> int:
    return config.input_side or _published(name).input_size[-1]


def _model(config: Config, name: str) -> nn.Module:
    """The model with the weights that the config asks for, its classifier and pooling removed.

    It is built whole, because only then does timm load strictly; asked for a model without
    classifier, it takes any file and leaves at random what the file lacks.
    """
    sized = _published(name).fixed_input_size
    options = {"img_size": _image_side(config, name)} if sized else {}
    if config.weights == NONE:
        model = _created(name, options)
    elif config.weights == IMAGENET:
        _check_download(config)
        model = downloaded(
            config.architecture,
            _address(name),
            lambda: _created(name, {"pretrained": True, **options}),
        )
    else:
        model = _from_file(name, config.weights, options)
    for pooling in ("", None):  # where a family refuses "" its own pooling stays
        try:
            model.reset_classifier(0, pooling)  # type: ignore[operator]
            break
        except _REFUSALS:  # FeatureMap then goes by forward_features
            continue
    return model


def _created(name: str, options: dict[str, Any]) -> nn.Module:
    with _refused_as(f"timm's {name} cannot be built"):
        return timm.create_model(name, **options)


def _from_file(name: str, path: str, options: dict[str, Any]) -> nn.Module:
    """The model with the weights of a file that holds it whole, its classifier included."""
    options = {"pretrained": True, "pretrained_cfg_overlay": {"file": path}, **options}
    try:
        return timm.create_model(name, **options)
    except (*_REFUSALS, *DAMAGE, pickle.UnpicklingError, SafetensorError) as error:
        raise ValueError(
            f"{path} does not hold the weights of {name}: {one_line(error)[:_LONGEST]}"
        ) from None


def _address(name: str) -> str:
    published = _published(name)
    if published.hf_hub_id:
        return f"{constants.ENDPOINT}/{published.hf_hub_id}/resolve/main/{_WEIGHT_FILES[0]}"
    return str(published.url)


def _check_download(config: Config) -> None:
    """Unreachable if the weights are neither in the hub's cache nor to be fetched."""
    name = member(config)
    hub_id = _published(name).hf_hub_id
    if not (hub_id or _published(name).url):
        raise Unreachable(config.architecture, "a file of them", "timm knows none")
    cached = hub_id and any(
        isinstance(try_to_load_from_cache(hub_id, file), str) for file in _WEIGHT_FILES
    )
    if hub_id and not cached:
        check_reachable(config.architecture, _address(name), host=constants.ENDPOINT)


def build(config: Config) -> FineTunedNetwork:
    """The network with its backbone and an untrained head."""
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
        Head(num_channels, config.head_width or num_channels, config.head_dropout),
        config=config,
        normalisation=input_normalisation(config, published.mean, published.std),
        stages=[[f"model.{name}" for name in stage] for stage in stages],
        image_side=side,
    )


@torch.no_grad()
def _backbone(model: nn.Module, name: str, side: int) -> tuple[FeatureMap, int]:
    """The model by call or else by `forward_features`, and the channels of the map it makes.

    Tried on a black image; ValueError if neither makes one.
    """
    refusals = []
    for by_call in (True, False):
        backbone = FeatureMap(model, by_call=by_call).eval()
        try:
            return backbone, int(backbone(torch.zeros(1, 3, side, side)).shape[1])
        except _REFUSALS as error:
            refusals.append(one_line(error)[:_LONGEST])
    raise ValueError(f"timm's {name} makes no map of images of {side} pixels: {refusals[0]}")


def _groups(model: nn.Module) -> list[list[str]]:
    """Parameter names by timm's groups, the coarsest there are; else by the model's parts."""
    for coarse in (True, False):
        try:
            matcher = model.group_matcher(coarse=coarse)  # type: ignore[operator]
            return list(group_parameters(model, matcher).values())  # the input's first
        except _REFUSALS:
            continue
    return groups_by_part(model)


def check(config: Config) -> None:
    """ValueError if timm has no such model, it is no backbone, or its weights are not to be had.

    The model is built without weights first: what then fails with a file is the file's fault.
    """
    check_name(config.weights)
    member(config)
    if config.weights == IMAGENET:
        _check_download(config)
    build(config.model_copy(update={"weights": NONE}))
    if is_file(config.weights):
        build(config)
