"""The simple CNN of the student project's constraints study (Constraints_Test.ipynb)."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from search_spaces.declaration.training_protocol import (
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
    """Four convolutions without padding, one dense layer, as the constraints study trained it."""

    STACKS: ClassVar[bool] = True

    architecture: Literal["simple_cnn"] = "simple_cnn"
    width: Annotated[float, Field(gt=0, le=4)] = 1.0  # factor on all channels; 1 is published
    dropout: Dropout = 0.0  # seed: none; offered before the output

    epochs: Epochs = 30  # seed: 30
    batch_size: BatchSize = 64  # seed: 32 on each of two GPUs
    early_stopping_patience: Patience = 0  # seed: none in this notebook
    rotation_degrees: RotationDegrees = 180.0  # seed: rotation_range=360, every angle
    flips: Flips = True  # seed: horizontal_flip
    shift_fraction: Fraction = 0.2  # seed: 0.2
    zoom_fraction: Fraction = 0.2  # seed: 0.2
    shear_degrees: ShearDegrees = 0.2  # seed: 0.2, in degrees for Keras
