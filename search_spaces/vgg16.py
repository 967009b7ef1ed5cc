"""VGG16 with a flattened head (Pretrained_VGG.ipynb; report, section 5.2)."""

from typing import Literal

from search_spaces.declaration.pretrained_backbone import HeadWidth, InputSide, PretrainedBackbone


class Config(PretrainedBackbone):
    """ImageNet's VGG16 without its dense layers, flattened, one hidden layer."""

    architecture: Literal["vgg16"] = "vgg16"
    input_side: InputSide = 224  # seed: 64 pixels enlarged to 224, as the weights expect
    head_width: HeadWidth = 512  # seed: 512
