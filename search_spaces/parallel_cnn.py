"""The search space of the parallel CNN, the student project's best network (report, 5.1)."""

from typing import Annotated, ClassVar, Literal

from optuna.distributions import FloatDistribution
from pydantic import Field

from search_spaces.declaration import STACKABLE, Dropout, TrainingProtocol


class Config(TrainingProtocol):
    """A config of the parallel CNN, a network that begins with two convolution paths.

    The kernels of the paths are 6 and 3 pixels wide. The joined paths lead to three convolution
    stages, three dense layers and the output. The defaults are the published values, except for
    `precision` and the fields in `PUBLISHED`.

    width: factor on the numbers of channels and units of all layers before the output, above 0 and
        at most 4.
    input_side: width and height of the images that the network sees, in pixels, at least 17, for
        which the last stage's map has one value.
    convolution_dropout: dropout rate after every pooling, 0 or more and below 1.
    dense_dropout: dropout rate before the output, 0 or more and below 1.
    kernel_l2: factor, 0 or more, on the sum of the squared weights of the three dense layers,
        which is added to the loss.
    """

    STACKS: ClassVar[bool] = True

    architecture: Literal["parallel_cnn"] = "parallel_cnn"
    width: Annotated[float, Field(gt=0, le=4)] = 1.0  # published: the channels of the notebook
    input_side: Annotated[int, Field(ge=17)] = 64  # published: images of 64 x 64 pixels
    convolution_dropout: Dropout = 0.1  # published: 0.1 after every pooling
    dense_dropout: Dropout = 0.2  # published: 0.2 before the output
    kernel_l2: Annotated[
        float, Field(ge=0), FloatDistribution(1e-5, 1e-1, log=True), STACKABLE
    ] = 1e-2  # published: l2(0.01) on the kernels of the three dense layers
