"""The search space of VGG16 with a flattened head (Pretrained_VGG.ipynb; report, section 5.2)."""

from typing import Literal

from search_spaces.declaration import HeadWidth, InputSide, PretrainedBackbone


class Config(PretrainedBackbone):
    """A config of a VGG16 backbone whose dense layers are replaced by one hidden layer.

    The hidden layer reads the flattened map of the backbone.

    input_side: width and height of the images that the network sees, in pixels, a positive
        multiple of 32.
    head_width: number of units of the hidden layer, at least 1.
    """

    architecture: Literal["vgg16"] = "vgg16"
    input_side: InputSide = 224  # published: 64 pixels enlarged to the 224 of the weights
    head_width: HeadWidth = 512  # published: 512 units
