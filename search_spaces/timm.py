"""Any model of the timm library by name, `timm:convnext_tiny`, below the ResNet-50's head.

The student report's further work: newer backbones. Whether a name exists is known once the
network is built, because timm itself is not loaded here.
"""

from typing import Annotated, Literal

from optuna.distributions import CategoricalDistribution
from pydantic import Field

from search_spaces.declaration.pretrained_backbone import HeadWidth, PretrainedBackbone


class Config(PretrainedBackbone):
    """A timm backbone, pooled, one hidden layer."""

    architecture: Annotated[str, Field(pattern=r"^timm:[A-Za-z0-9_.]+$")]
    input_side: Annotated[int, Field(ge=32)] | None = None  # None: the side of the weights
    pooling: Annotated[Literal["max", "avg"], CategoricalDistribution(("max", "avg"))] = "max"
    #                    the head of the seed's ResNet-50; most backbones were trained with avg
    head_width: HeadWidth | None = None  # None: as many as the backbone's channels, as there
