"""The parallel CNN of the student project's best result (its report, section 5.1)."""

from typing import Annotated, ClassVar, Literal

from optuna.distributions import FloatDistribution
from pydantic import Field

from search_spaces.declaration.hyperparameters import STACKABLE
from search_spaces.declaration.training_protocol import Dropout, TrainingProtocol


class Config(TrainingProtocol):
    """Two convolution paths of kernel 6 and 3, three stages, three dense layers."""

    STACKS: ClassVar[bool] = True

    architecture: Literal["parallel_cnn"] = "parallel_cnn"
    width: Annotated[float, Field(gt=0, le=4)] = 1.0  # factor on all channels; 1 is published
    convolution_dropout: Dropout = 0.1  # seed: after every pooling
    dense_dropout: Dropout = 0.2  # seed: before the output
    kernel_l2: Annotated[
        float, Field(ge=0), FloatDistribution(1e-5, 1e-1, log=True), STACKABLE
    ] = 1e-2  # seed: l2(0.01) on the kernels of the three dense layers
