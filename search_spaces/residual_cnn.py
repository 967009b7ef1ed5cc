"""The search space of the residual CNN, galaxytune's own network for small images."""

from typing import Annotated, ClassVar, Literal

from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from pydantic import Field

from search_spaces.declaration import (
    STACKABLE,
    BatchSize,
    Brightness,
    Dropout,
    Epochs,
    Flips,
    Fraction,
    HeadOfNetwork,
    KeptWeights,
    OnlyIf,
    OutputBias,
    Patience,
    RotationDegrees,
    TrainingProtocol,
    ZoomAxes,
)


class Config(TrainingProtocol):
    """A config of the residual CNN, three stages of residual blocks with BatchNorm.

    The network is not from the student project. Its defaults are those with which it was measured
    on real galaxies, and none of them is published.

    width: factor on the channels of all layers, above 0 and at most 4; at width 1 the stages have
        32, 64 and 128 channels, and the network about 700,000 weights.
    depth: number of residual blocks of each stage, at least 1.
    input_side: width and height of the images that the network sees, in pixels, at least 16.
    dropout: dropout rate before the output, 0 or more and below 1.
    """

    STACKS: ClassVar[bool] = True
    FROM_NOTEBOOKS: ClassVar[bool] = False

    architecture: Literal["residual_cnn"] = "residual_cnn"
    width: Annotated[float, Field(gt=0, le=4), CategoricalDistribution((1.0, 1.5, 2.0))] = 1.0
    # 0.7, 1.6 and 2.8 million weights
    depth: Annotated[int, Field(ge=1), IntDistribution(1, 3)] = 2
    input_side: Annotated[int, Field(ge=16)] = 64
    dropout: Dropout = 0.2
    epochs: Epochs = 40
    batch_size: BatchSize = 128
    learning_rate: Annotated[
        float, Field(gt=0), FloatDistribution(5e-4, 1e-2, log=True), STACKABLE
    ] = 3e-3
    optimizer: Annotated[
        Literal["adam", "adamw"], CategoricalDistribution(("adam", "adamw")), STACKABLE
    ] = "adamw"
    weight_decay: Annotated[
        float,
        Field(ge=0),
        FloatDistribution(1e-3, 3e-1, log=True),
        OnlyIf("optimizer", "adamw"),
        STACKABLE,
    ] = 0.05  # biases and BatchNorm do not decay
    schedule: Annotated[
        Literal["constant", "cosine"], CategoricalDistribution(("constant", "cosine")), STACKABLE
    ] = "cosine"
    kept_weights: KeptWeights = "averaged"
    early_stopping_patience: Patience = 0  # a cosine is best at its end
    rotation_degrees: RotationDegrees = 180.0  # a galaxy has no up
    flips: Flips = True
    zoom_fraction: Fraction = 0.2
    zoom_axes: ZoomAxes = "alike"
    brightness: Brightness = 0.1
    head: HeadOfNetwork = "tree_softmax"
    output_bias: OutputBias = "votes"
