"""Any backbone of the timm library (Wightman, pytorch-image-models) below the ResNet-50's head."""

import pickle
from typing import Any

import timm
import torch
from huggingface_hub import constants, try_to_load_from_cache
from safetensors import SafetensorError
from timm.models import PretrainedCfg, group_parameters
from torch import Tensor, nn

from search_spaces.declaration.frozen_config import did_you_mean
from search_spaces.timm import Config
from trainables.fine_tuning import FineTunedNetwork, Head, Normalisation, stages_by_group
from trainables.galaxies.damage import DAMAGE, one_line
from trainables.pretrained_weights import (
    IMAGENET,
    NONE,
    Unreachable,
    check_name,
    check_reachable,
    downloaded,
)

SOURCE = "the timm library's model of that name, under the head of the ResNet-50"
_LONGEST = 200  # characters of another library's message
_WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin")


class FeatureMap(nn.Module):
    """A timm model whose output, map or tokens, is made a map: [B, 3, S, S] -> [B, C, h, w]."""

    def __init__(self, model: nn.Module) -> None:
        """`model` without classifier and pooling."""
        super().__init__()
        self.model = model
        self.channels_last = getattr(model, "output_fmt", "NCHW") == "NHWC"

    def forward(self, images: Tensor) -> Tensor:
        """Map [B, 3, S, S] to [B, C, h, w]; class and register tokens are left out."""
        output: Tensor = self.model(images)
        if output.ndim == 4:
            return output.permute(0, 3, 1, 2) if self.channels_last else output
        patches = output[:, int(getattr(self.model, "num_prefix_tokens", 0)) :]  # [B, N, C]
        grid = getattr(getattr(self.model, "patch_embed", None), "grid_size", None)
        height, width = grid or (round(patches.shape[1] ** 0.5),) * 2
        return patches.transpose(1, 2).unflatten(2, (height, width))


def member(config: Config) -> str:
    """timm's name of the model; ValueError that offers the nearest if there is none such."""
    name = config.architecture.removeprefix("timm:")
    if not timm.is_model(name.partition(".")[0]):
        hint = did_you_mean(name, timm.list_models()) if name else ""
        near = hint if "did you mean" in hint else "; timm.list_models() names them"
        raise ValueError(f"timm {timm.__version__} has no model {name!r}{near}")
    return name


def _published(name: str) -> PretrainedCfg:
    """What timm knows of the model's weights: their input and where they are."""
    published = timm.get_pretrained_cfg(name)
    return published if published is not None else PretrainedCfg()


def _image_side(config: Config, name: str) -> int:
    return config.input_side or _published(name).input_size[-1]


def _model(config: Config, name: str) -> nn.Module:
    """The model, with the weights that the config asks for."""
    options: dict[str, Any] = {"num_classes": 0, "global_pool": ""}
    if _published(name).fixed_input_size:
        options["img_size"] = _image_side(config, name)
    if config.weights == NONE:
        return timm.create_model(name, pretrained=False, **options)
    if config.weights == IMAGENET:
        _check_download(config)
        return downloaded(
            config.architecture,
            _address(name),
            lambda: timm.create_model(name, pretrained=True, **options),
        )
    return _from_file(name, config.weights, options)


def _from_file(name: str, path: str, options: dict[str, Any]) -> nn.Module:
    """The model with the weights of a file that holds it whole, its classifier included.

    Only then does timm load strictly; asked for a model without classifier, it takes any file
    and leaves at random what the file lacks.
    """
    overlay = {"file": path}
    sized = {key: value for key, value in options.items() if key == "img_size"}
    try:
        model = timm.create_model(name, pretrained=True, pretrained_cfg_overlay=overlay, **sized)
    except (*DAMAGE, pickle.UnpicklingError, SafetensorError) as error:
        raise ValueError(
            f"{path} does not hold the weights of {name}: {one_line(error)[:_LONGEST]}"
        ) from None
    model.reset_classifier(0, "")  # type: ignore[operator]
    return model


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
    backbone = FeatureMap(model)
    pool = nn.AdaptiveMaxPool2d(1) if config.pooling == "max" else nn.AdaptiveAvgPool2d(1)
    num_channels = _num_channels(backbone, side)
    groups = group_parameters(model, model.group_matcher(coarse=True))  # type: ignore[operator]
    stages = [tuple(f"model.{n}" for n in stage) for stage in stages_by_group(groups)]
    return FineTunedNetwork(
        backbone,
        nn.Sequential(pool, nn.Flatten()),
        Head(num_channels, config.head_width or num_channels, config.head_dropout),
        config=config,
        normalisation=nn.Identity()
        if config.as_published
        else Normalisation(published.mean, published.std),
        stages=stages,
        image_side=side,
    )


@torch.no_grad()
def _num_channels(backbone: FeatureMap, side: int) -> int:
    """Channels of the map, seen on one black image; ValueError if the model gives no map."""
    backbone.eval()
    try:
        mapped = backbone(torch.zeros(1, 3, side, side))
    except (RuntimeError, AssertionError, ValueError) as error:
        raise ValueError(
            f"this timm model cannot take images of {side} pixels: {str(error).splitlines()[0]}"
        ) from None
    if mapped.ndim != 4:
        raise ValueError(f"this timm model gives no map of features, but {list(mapped.shape)}")
    return int(mapped.shape[1])


def check(config: Config) -> None:
    """ValueError if timm has no such model or its weights are not to be had."""
    check_name(config.weights)
    member(config)
    if config.weights == IMAGENET:
        _check_download(config)
