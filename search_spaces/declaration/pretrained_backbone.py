"""The hyperparameters of a pretrained backbone under a head that galaxytune trains."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field

from search_spaces.declaration.annotations import OnlyIf
from search_spaces.declaration.quiet_optuna import CategoricalDistribution, FloatDistribution
from search_spaces.declaration.stored_paths import absolute_path
from search_spaces.declaration.training_protocol import Dropout, TrainingProtocol

# The side of an image in pixels. A backbone halves the side five times, so 32 must divide it.
InputSide = Annotated[int, Field(ge=32, multiple_of=32)]
HeadWidth = Annotated[int, Field(ge=1)]
_NAMES = ("imagenet", "none")  # values of `weights` that are no files


def absolute(weights: str) -> str:
    """Return the absolute path of a weight file; a name such as `imagenet` is returned unchanged.

    weights: a file if the text has any suffix, such as `.pth`, or a `/`, or if there is a file of
    that name; otherwise a name. `imagenet` and `none` are always names. A `~` at the beginning
    stands for the home directory. The path is absolute because each trial runs in another folder,
    from which a relative path would lead elsewhere. The file need not exist. InvalidInput is
    raised if the path begins with `~NAME` and there is no user NAME.
    """
    path = Path(weights)
    if weights in _NAMES or not (path.suffix or "/" in weights or path.is_file()):
        return weights
    return absolute_path(weights, "weights")


class PretrainedBackbone(TrainingProtocol):
    """A config of a pretrained backbone, frozen or fine-tuned, under a head with one hidden layer.

    weights: "imagenet", "none", or the path of a file of PyTorch or safetensors; a path is stored
    as an absolute path, and the file is read only when the network is built. as_published: True
    feeds pixels of 0..1 to the backbone, as the notebooks do. False normalises the pixels as the
    weights expect. cache_frozen_features: True stores the features of a backbone on disk if
    `unfreeze` is "head"; the features are stored for all trials of a machine. unfreeze: the parts
    that train beside the head: none ("head"), the backbone's last stage ("last_stage"), or all
    stages ("all"). layer_decay: factor on the learning rate from one stage to the stage before it,
    above 0 and at most 1. head_dropout: dropout rate before the output, 0 or more and below 1.
    """

    PUBLISHED: ClassVar[dict[str, Any]] = {**TrainingProtocol.PUBLISHED, "as_published": True}
    RECOMMENDED: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {  # with which EfficientNet-Lite0 was good at 64 pixels
            **TrainingProtocol.RECOMMENDED[0],
            "unfreeze": "all",
            "learning_rate": 3e-3,
            "layer_decay": 0.9,
            "head_dropout": 0.2,
        },
    )

    weights: Annotated[str, AfterValidator(absolute)] = "imagenet"
    # published: ImageNet's weights
    as_published: bool = False  # weights expect normalised pixels; the notebooks feed raw 0..1
    cache_frozen_features: bool = True
    # costs disk and saves the passes of the backbone (docs/pretrained-networks.md)

    unfreeze: Annotated[
        Literal["head", "last_stage", "all"],
        CategoricalDistribution(("head", "last_stage", "all")),
    ] = "head"  # published: the whole backbone stays frozen
    layer_decay: Annotated[
        float,
        Field(gt=0, le=1),
        FloatDistribution(0.3, 1.0),
        OnlyIf("unfreeze", "last_stage", "all"),
    ] = 0.75  # Zoobot 2.9 fine-tunes with 0.75
    head_dropout: Dropout = 0.1  # published: 0.1 before the output

    epochs: Annotated[int, Field(ge=1, le=1_000_000)] = 50  # published: 50 epochs
    learning_rate: Annotated[float, Field(gt=0), FloatDistribution(1e-4, 1e-2, log=True)] = 1e-3
    # published: Adam's default; a whole backbone was better at 3e-3 on small images
