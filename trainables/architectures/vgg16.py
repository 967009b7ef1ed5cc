"""The convolutions of VGG16 and a head of 512 hidden units on the flattened map.

The network has 27,579,237 parameters, 12,864,549 of them trainable with a frozen backbone.
"""

import torchvision
from torch import nn

from search_spaces.vgg16 import Config
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

SOURCE = "student project, Pretrained_VGG.ipynb; backbone: Simonyan & Zisserman 2015, torchvision"
_WEIGHTS = torchvision.models.VGG16_Weights.IMAGENET1K_V1
_CHANNELS, _REDUCTION = 512, 32
# Numbers of the convolutions of each block among torchvision's layers.
_BLOCKS = ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28))


def build(config: Config) -> FineTunedNetwork:
    """Return the network of a config, with a pretrained backbone and an untrained head.

    The backbone's weights are those of `config.weights`: ImageNet's, which are downloaded if
    torch's cache lacks them, those of a file, or random ones for "none". The stages that the
    config does not train are frozen. Random weights are drawn from torch's global random state.
    Weights that do not fit, are damaged or cannot be had raise InvalidInput.
    """
    model = torchvision.models.vgg16(weights=None, init_weights=False)
    fill_from_torchvision(model.features, config.weights, _WEIGHTS)
    map_side = config.input_side // _REDUCTION
    return FineTunedNetwork(
        model.features,
        nn.Flatten(),
        Head(_CHANNELS * map_side**2, config.head_width, config.head_dropout, config.head),
        config=config,
        normalisation=input_normalisation(config, IMAGENET_MEAN, IMAGENET_DEVIATION),
        stages=stages_by_prefix(model.features, [[str(i) for i in block] for block in _BLOCKS]),
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
