"""The search space of the small vision transformer (VisionTransformer_B16.ipynb; report, 5.3).

The notebook calls the network B/16, but the patches are 8 pixels wide and the width is 64.
"""

from typing import Annotated, Any, ClassVar, Literal

from optuna.distributions import CategoricalDistribution, IntDistribution
from pydantic import Field

from search_spaces.declaration import Dropout, TrainingProtocol


class Config(TrainingProtocol):
    """A config of the vision transformer, by default twelve pre-norm blocks over 64 patches.

    A small head reads the class token after the last block.

    as_published: True keeps the class token at zero and keeps a row of the position table that
    nothing reads, as the notebook does. False makes the class token a parameter and drops the row.
    width: factor on the 64 channels of a token, above 0 and at most 4. depth: number of blocks, at
    least 1. num_heads: number of attention heads of a block, at least 1, each as wide as a token.
    patch_side: width and height of a patch, 4, 8 or 16 pixels. input_side: width and height of the
    images that the network sees, in pixels, at least 16; images that no whole number of patches
    covers get black borders. output_activation: what follows the
    second dense layer of a block, "gelu" or "none". attention_dropout: dropout rate of the
    attention weights. dense_dropout: dropout rate in the dense layers of the blocks and of the
    head. Both rates are 0 or more and below 1.
    """

    PUBLISHED: ClassVar[dict[str, Any]] = {**TrainingProtocol.PUBLISHED, "as_published": True}
    STACKS: ClassVar[bool] = True

    architecture: Literal["vision_transformer"] = "vision_transformer"
    as_published: bool = True  # the published network is the point of reference
    width: Annotated[float, Field(gt=0, le=4)] = 1.0  # published: 64 channels
    depth: Annotated[int, Field(ge=1), IntDistribution(4, 12)] = 12  # published: 12 blocks
    num_heads: Annotated[int, Field(ge=1)] = 8  # published: 8 heads, each as wide as the tokens
    patch_side: Annotated[Literal[4, 8, 16], CategoricalDistribution((4, 8, 16))] = 8
    # published: patches of 8 pixels
    input_side: Annotated[int, Field(ge=16)] = 64  # published: images of 64 x 64 pixels
    output_activation: Annotated[
        Literal["gelu", "none"], CategoricalDistribution(("gelu", "none"))
    ] = "gelu"
    # published: a GELU also after a block's second dense layer; Dosovitskiy et al. 2021 have none
    attention_dropout: Dropout = 0.1  # published: 0.1 on the attention weights
    dense_dropout: Dropout = 0.1  # published: 0.1 in the blocks and in the head
