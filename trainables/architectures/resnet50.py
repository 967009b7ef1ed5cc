"""ResNet-50 with global max-pooling and a head of 2,048 hidden units.

With a frozen backbone 4,272,165 parameters are trainable. The published network has 27,859,877
parameters, because the ResNet-50 of Keras has a bias on each of its 53 convolutions. The network
on torchvision's ResNet-50, which has no such biases, has 27,833,317 parameters.
"""

import torch
import torchvision
from torch import nn

from search_spaces.resnet50 import Config
from trainables.backbones import (
    IMAGENET_DEVIATION,
    IMAGENET_MEAN,
    FineTunedNetwork,
    Head,
    check_weights,
    fill_from_torchvision,
    input_normalisation,
    is_file,
    stages_by_prefix,
)

SOURCE = "student project, Pretrained_Resnet.ipynb; backbone: He et al. 2016, torchvision"
_WEIGHTS = torchvision.models.ResNet50_Weights.IMAGENET1K_V1
_CHANNELS = 2048
_KERAS_EPSILON = 1.001e-5  # epsilon of BatchNorm in the ResNet-50 of Keras; torchvision has 1e-5
_STAGES = (("conv1", "bn1"), ("layer1",), ("layer2",), ("layer3",), ("layer4",))


def _add_keras_details(model: nn.Module) -> set[str]:
    """Give a model's convolutions a bias of zero and its BatchNorm the epsilon of Keras, in place.

    With the biases the model has as many parameters as in Keras. Biases that exist are replaced.
    Return the names of the biases, such as "conv1.bias".
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
    """Return the network of a config, with a pretrained backbone and an untrained head.

    The backbone's weights are those of `config.weights`: ImageNet's, which are downloaded if
    torch's cache lacks them, those of a file, or random ones for "none". The stages that the
    config does not train are frozen. Random weights are drawn from torch's global random state.
    Weights that do not fit, are damaged or cannot be had raise InvalidInput.
    """
    model = torchvision.models.resnet50(weights=None)
    added = _add_keras_details(model) if config.as_published else set()
    model.avgpool = model.fc = nn.Identity()
    fill_from_torchvision(model, config.weights, _WEIGHTS, optional=added, classifiers=("fc",))
    backbone = nn.Sequential()
    for name, module in model.named_children():
        if name not in ("avgpool", "fc"):
            backbone.add_module(name, module)
    return FineTunedNetwork(
        backbone,
        nn.Sequential(nn.AdaptiveMaxPool2d(1), nn.Flatten()),
        Head(_CHANNELS, config.head_width, config.head_dropout, config.head),
        config=config,
        normalisation=input_normalisation(config, IMAGENET_MEAN, IMAGENET_DEVIATION),
        stages=stages_by_prefix(backbone, _STAGES),
        image_side=config.input_side,
    )


def check(config: Config) -> None:
    """Raise InvalidInput if a config's weights cannot be had or belong to another network.

    ImageNet's weights are downloaded if torch's cache lacks them; a file in the cache is not read.
    Weights of another file are tried in a network that is built for the check.
    """
    check_weights(config.weights, _WEIGHTS)
    if is_file(config.weights):
        build(config)
