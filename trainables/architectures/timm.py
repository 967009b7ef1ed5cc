"""Any backbone of the timm library (Wightman, pytorch-image-models) under the ResNet-50's head."""

from collections.abc import Sequence

from torch import nn

from search_spaces.timm import Config
from trainables.backbones import (
    IMAGENET,
    NONE,
    FineTunedNetwork,
    Head,
    check_name,
    check_timm_download,
    feature_map_of,
    freeze_unreached,
    input_normalisation,
    is_file,
    parameter_names_by_group,
    published_weights,
    refused_as,
    stages_by_group,
    timm_member,
    timm_model,
)

SOURCE = "the timm library's model of that name, under the head of the ResNet-50"


def _image_side(config: Config, name: str) -> int:
    """Return the side in pixels of the images that a config's network reads.

    The side is the config's `input_side`, or, if `input_side` is None, the side that timm's model
    `name` was trained with, 224 if timm does not know that side.
    """
    return config.input_side or published_weights(name).input_size[-1]


def build(config: Config) -> FineTunedNetwork:
    """Return the network of a config, with timm's backbone and an untrained head.

    The backbone's weights are those of `config.weights`: ImageNet's, which are downloaded if the
    hub's or torch's cache lacks them, those of a file, or random ones for "none". The stages that
    the config does not train are frozen. Random weights are drawn from torch's global random
    state. InvalidInput is raised for a model that timm does not know or cannot build or train, or
    that gives no map, and for weights that do not fit, are damaged or cannot be had.
    """
    check_name(config.weights)
    name = timm_member(config.architecture)
    side = _image_side(config, name)
    model = timm_model(config.architecture, config.weights, side=side)
    published = published_weights(name)
    backbone, num_channels = feature_map_of(model, name, side)
    if config.unfreeze != "head":
        with refused_as(f"timm's {name} cannot be trained"):
            freeze_unreached(backbone, side, leaves_out=backbone.num_left_out > 0)
    stages = stages_by_group(parameter_names_by_group(model), model)
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


def check(config: Config) -> None:
    """Raise InvalidInput if a config's model or weights cannot be had on this machine.

    The model must be known to timm and must give a map. ImageNet's weights are not downloaded: the
    Hugging Face hub must answer if its cache lacks them, and weights elsewhere are not looked for.
    The model is built once with random weights, and then with a file of weights if the config
    names a file. An error of the second step is therefore an error of the file.
    """
    check_name(config.weights)
    timm_member(config.architecture)
    if config.weights == IMAGENET:
        check_timm_download(config.architecture)
    build(config.model_copy(update={"weights": NONE}))
    if is_file(config.weights):
        build(config)
