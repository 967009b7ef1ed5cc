"""The search space of ResNet-50 with global max-pooling (Pretrained_Resnet.ipynb; report, 5.4)."""

from typing import Literal

from search_spaces.declaration import HeadWidth, InputSide, PretrainedBackbone


class Config(PretrainedBackbone):
    """A config of a ResNet-50 backbone with global max-pooling and one hidden layer.

    input_side: width and height of the images that the network sees, in pixels, a positive
        multiple of 32.
    head_width: number of units of the hidden layer, at least 1.
    as_published: True also gives each convolution of the backbone a bias, and BatchNorm the
        epsilon of Keras.
    """

    architecture: Literal["resnet50"] = "resnet50"
    input_side: InputSide = 224  # published: 64 pixels enlarged to the 224 of the weights
    head_width: HeadWidth = 2048  # published: as many units as the backbone has channels
