"""The small vision transformer (VisionTransformer_B16.ipynb; report, section 5.3).

The notebook calls it B/16; its patches are 8 pixels wide and its width is 64.
"""

from typing import Annotated, Any, ClassVar, Literal

from optuna.distributions import CategoricalDistribution, IntDistribution
from pydantic import Field

from search_spaces.declaration.training_protocol import Dropout, TrainingProtocol


class Config(TrainingProtocol):
    """Twelve pre-norm blocks over 64 patches, the class token read by a small head."""

    PUBLISHED: ClassVar[dict[str, Any]] = {**TrainingProtocol.PUBLISHED, "as_published": True}
    STACKS: ClassVar[bool] = True

    architecture: Literal["vision_transformer"] = "vision_transformer"
    as_published: bool = True
    #   True: class token fixed at zero and one position row that nothing uses, as in the
    #   notebook; False: a learnable class token and no dead row
    width: Annotated[float, Field(gt=0, le=4)] = 1.0  # factor on 64 channels; 1 is published
    depth: Annotated[int, Field(ge=1), IntDistribution(4, 12)] = 12  # seed: 12 blocks
    num_heads: Annotated[int, Field(ge=1)] = 8  # seed: 8 heads, each as wide as the tokens
    patch_side: Annotated[Literal[4, 8, 16], CategoricalDistribution((4, 8, 16))] = 8  # seed: 8
    output_activation: Annotated[
        Literal["gelu", "none"], CategoricalDistribution(("gelu", "none"))
    ] = "gelu"  # seed: GELU after a block's second dense layer too; Dosovitskiy 2021 has none
    attention_dropout: Dropout = 0.1  # seed: 0.1
    dense_dropout: Dropout = 0.1  # seed: 0.1 in blocks and head
