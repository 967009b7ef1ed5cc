"""What the student report's table 1 states of its four networks, with what its notebooks printed.

All on its own split: 12,316 test images of 61,578, one run each, no seed set.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class PublishedResult:
    """Test RMSE, parameters as Keras counts them, and epochs until training stopped."""

    rmse: float
    total_parameters: int
    trainable_parameters: int
    epochs: int


PUBLISHED = {
    "parallel_cnn": PublishedResult(0.0985, 1_160_165, 1_159_653, 182),
    "vision_transformer": PublishedResult(0.0995, 1_821_477, 1_821_477, 300),
    "vgg16": PublishedResult(0.1153, 27_579_237, 12_864_549, 50),
    "resnet50": PublishedResult(0.1434, 27_859_877, 4_272_165, 50),
}
