"""The search space of all models of the timm library, under the head of the ResNet-50.

An architecture is named `timm:MODEL`, such as `timm:convnext_tiny`, or
`timm:hf_hub:OWNER/NAME` for a model that is described on the Hugging Face hub, such as
`timm:hf_hub:mwalmsley/zoobot-encoder-resnet18`. The student report proposes newer backbones as
further work. A config accepts any MODEL of letters, digits, `_` and `.`, because this module does
not load timm. A model that timm does not know raises InvalidInput when the network is checked or
built.
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from optuna.distributions import CategoricalDistribution
from pydantic import Field

from search_spaces.declaration import HeadWidth, PretrainedBackbone

_ON_THE_HUB = r"hf[-_]hub:[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)?(@[A-Za-z0-9_./-]+)?"


class Config(PretrainedBackbone):
    """A config of a timm backbone with global pooling and one hidden layer.

    architecture: `timm:` and the name of the model in timm, with or without a tag of weights, or
    `timm:hf_hub:` (also `timm:hf-hub:`) and the name of a repository on the Hugging Face hub, with
    or without `@` and a revision.
    input_side: width and height of the images that the network sees, in pixels, at least 32. None
    means the side that the weights were trained with. pooling: "max" or "avg"; the hidden layer
    reads the maximum or the mean of each channel of the backbone's last map. head_width: number of
    units of the hidden layer, at least 1. None means as many units as the backbone has channels.
    """

    FROM_NOTEBOOKS: ClassVar[bool] = False
    RECOMMENDED: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {**PretrainedBackbone.RECOMMENDED[0], "pooling": "avg"},  # as most backbones were trained
    )

    architecture: Annotated[str, Field(pattern=rf"^timm:([A-Za-z0-9_.]+|{_ON_THE_HUB})$")]
    input_side: Annotated[int, Field(ge=32)] | None = None  # weights suit their own side best
    pooling: Annotated[Literal["max", "avg"], CategoricalDistribution(("max", "avg"))] = "max"
    # published: the head of the ResNet-50 takes the maximum; most backbones were trained with avg
    head_width: HeadWidth | None = None  # published: ResNet-50 has as many units as channels


def is_on_hub(architecture: str) -> bool:
    """Return whether an architecture is described on the Hugging Face hub, not in timm."""
    return architecture.startswith(("timm:hf_hub:", "timm:hf-hub:"))
