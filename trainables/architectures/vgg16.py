"""VGG16's convolutions and a flattened head of 512 units.

27,579,237 parameters, 12,864,549 of them trainable with the backbone frozen.
"""

import torchvision
from torch import nn

from search_spaces.vgg16 import Config
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

SOURCE = "student project, Pretrained_VGG.ipynb; backbone: Simonyan & Zisserman 2015, torchvision"
_WEIGHTS = torchvision.models.VGG16_Weights.IMAGENET1K_V1
_CHANNELS, _REDUCTION = 512, 32
_BLOCKS = ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28))  # convolutions by block


def build(config: Config) -> FineTunedNetwork:
    """The network with its pretrained backbone and an untrained head."""
    model = torchvision.models.vgg16(weights=None, init_weights=False)
    del model.classifier, model.avgpool
    fill_from_torchvision(model, config.weights, _WEIGHTS)
    map_side = config.input_side // _REDUCTION
    return FineTunedNetwork(
        model.features,
        nn.Flatten(),
        Head(_CHANNELS * map_side**2, config.head_width, config.head_dropout),
        config=config,
        normalisation=input_normalisation(config, IMAGENET_MEAN, IMAGENET_DEVIATION),
        stages=stages_by_prefix(model.features, [[str(i) for i in block] for block in _BLOCKS]),
        image_side=config.input_side,
    )


def check(config: Config) -> None:
    """ValueError if the weights are not to be had, or are a file of another network."""
    check_weights(config.weights, _WEIGHTS)
    if is_file(config.weights):
        build(config)
