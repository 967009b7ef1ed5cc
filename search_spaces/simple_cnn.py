"""The search space of the simple CNN of the constraints study (Constraints_Test.ipynb)."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from search_spaces.declaration import (
    BatchSize,
    Dropout,
    Epochs,
    Flips,
    Fraction,
    Patience,
    RotationDegrees,
    ShearDegrees,
    TrainingProtocol,
)


class Config(TrainingProtocol):
    """A config of the simple CNN, a network of four convolutions and one dense layer.

    The convolutions have no padding. The defaults are the values with which the student project's
    constraints study trained the network, except for `precision` and the fields in `PUBLISHED`.

    width: factor on the numbers of channels and units of all layers before the output, above 0 and
        at most 4.
    input_side: width and height of the images that the network sees, in pixels, at least 46, for
        which the last convolution's map has one value after its pooling.
    dropout: dropout rate before the output, 0 or more and below 1.
    """

    STACKS: ClassVar[bool] = True

    architecture: Literal["simple_cnn"] = "simple_cnn"
    width: Annotated[float, Field(gt=0, le=4)] = 1.0  # published: the channels of the notebook
    input_side: Annotated[int, Field(ge=46)] = 64  # published: images of 64 x 64 pixels
    dropout: Dropout = 0.0  # published: the notebook has no dropout; a search may add it

    epochs: Epochs = 30  # published: 30 epochs
    batch_size: BatchSize = 64  # published: 32 on each of two GPUs
    early_stopping_patience: Patience = 0  # published: this notebook never stops early
    rotation_degrees: RotationDegrees = 180.0  # published: rotation_range=360, which is any angle
    flips: Flips = True  # published: horizontal_flip
    shift_fraction: Fraction = 0.2  # published: 20 % of the side
    zoom_fraction: Fraction = 0.2  # published: 20 % along each axis
    shear_degrees: ShearDegrees = 0.2  # published: 0.2, which Keras reads as degrees
