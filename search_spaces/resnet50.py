"""ResNet-50 with a global-max-pool head (Pretrained_Resnet.ipynb; report, section 5.4)."""

from typing import Literal

from search_spaces.declaration.pretrained_backbone import HeadWidth, InputSide, PretrainedBackbone


class Config(PretrainedBackbone):
    """ImageNet's ResNet-50, global max-pooling, one hidden layer."""

    architecture: Literal["resnet50"] = "resnet50"
    input_side: InputSide = 224  # seed: 64 pixels enlarged to 224, as the weights expect
    head_width: HeadWidth = 2048  # seed: 2048, as many as the backbone's channels
