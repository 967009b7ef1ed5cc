"""ResNet-50 and a global-max-pool head of 2,048 units.

4,272,165 trainable parameters with the backbone frozen. As published 27,859,877 in all, Keras'
ResNet-50 having a bias on each of its 53 convolutions; torchvision's has none: 27,833,317.
"""

import torch
import torchvision
from torch import nn

from search_spaces.resnet50 import Config
from trainables.fine_tuning import (
    IMAGENET_DEVIATION,
    IMAGENET_MEAN,
    FineTunedNetwork,
    Head,
    input_normalisation,
    stages_by_prefix,
)
from trainables.pretrained_weights import is_file
from trainables.torchvision_weights import check_weights, fill_from_torchvision

SOURCE = "student project, Pretrained_Resnet.ipynb; backbone: He et al. 2016, torchvision"
_WEIGHTS = torchvision.models.ResNet50_Weights.IMAGENET1K_V1
_CHANNELS = 2048
_KERAS_EPSILON = 1.001e-5  # of its BatchNorm layers; torchvision has 1e-5
_STAGES = (("conv1", "bn1"), ("layer1",), ("layer2",), ("layer3",), ("layer4",))


def _add_keras_details(model: nn.Module) -> set[str]:
    """Give each convolution a zero bias, as Keras counts them, and BatchNorm Keras' epsilon.

    Returns the names of the biases.
    """
    biases = set()
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d):
            module.bias = nn.Parameter(torch.zeros(module.out_channels))
            biases.add(f"{name}.bias")
        elif isinstance(module, nn.BatchNorm2d):
            module.eps = _KERAS_EPSILON
    return biases


def build(config: Config) -> FineTunedNetwork:
    """The network with its pretrained backbone and an untrained head."""
    model = torchvision.models.resnet50(weights=None)
    added = _add_keras_details(model) if config.as_published else set()
    model.avgpool = model.fc = nn.Identity()
    fill_from_torchvision(model, config.weights, _WEIGHTS, optional=added)
    backbone = nn.Sequential()
    for name, module in model.named_children():
        if name not in ("avgpool", "fc"):
            backbone.add_module(name, module)
    return FineTunedNetwork(
        backbone,
        nn.Sequential(nn.AdaptiveMaxPool2d(1), nn.Flatten()),
        Head(_CHANNELS, config.head_width, config.head_dropout),
        config=config,
        normalisation=input_normalisation(config, IMAGENET_MEAN, IMAGENET_DEVIATION),
        stages=stages_by_prefix(backbone, _STAGES),
        image_side=config.input_side,
    )


def check(config: Config) -> None:
    """ValueError if the weights are not to be had, or are a file of another network."""
    check_weights(config.weights, _WEIGHTS)
    if is_file(config.weights):
        build(config)
