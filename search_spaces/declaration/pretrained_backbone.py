"""The hyperparameters of a pretrained backbone with a head of our own on top."""

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from optuna.distributions import CategoricalDistribution, FloatDistribution
from pydantic import AfterValidator, Field

from search_spaces.declaration.hyperparameters import OnlyIf
from search_spaces.declaration.training_protocol import Dropout, TrainingProtocol

# A backbone's published input is 224 pixels; each halving on its way needs an even side.
InputSide = Annotated[int, Field(ge=32, multiple_of=32)]
HeadWidth = Annotated[int, Field(ge=1)]


def absolute(weights: str) -> str:
    """A file's whole path, because trials run in folders of their own; names stay as they are."""
    return str(Path(weights).expanduser().resolve()) if Path(weights).suffix else weights


class PretrainedBackbone(TrainingProtocol):
    """A backbone from elsewhere, frozen or fine-tuned, below one hidden layer and the output."""

    PUBLISHED: ClassVar[dict[str, Any]] = {**TrainingProtocol.PUBLISHED, "as_published": True}

    weights: Annotated[str, AfterValidator(absolute)] = "imagenet"
    #   seed: ImageNet's; or a .pth, .pt or .safetensors file, or none
    as_published: bool = False
    #   True feeds the backbone raw 0..1 as the seed did; its weights expect normalised input
    cache_frozen_features: bool = True  # costs disk, saves the backbone's passes; see docs

    unfreeze: Annotated[
        Literal["head", "last_stage", "all"],
        CategoricalDistribution(("head", "last_stage", "all")),
    ] = "head"  # seed: the backbone wholly frozen
    layer_decay: Annotated[
        float,
        Field(gt=0, le=1),
        FloatDistribution(0.3, 1.0),
        OnlyIf("unfreeze", "last_stage", "all"),
    ] = 0.75  # factor on the learning rate a stage down; Zoobot 2.9 fine-tunes with .75
    head_dropout: Dropout = 0.1  # seed: 0.1 before the output

    epochs: Annotated[int, Field(ge=1)] = 50  # seed: 50
    learning_rate: Annotated[float, Field(gt=0), FloatDistribution(1e-5, 1e-2, log=True)] = 1e-3
    #            seed: Adam's default; a whole backbone wants less, so the range begins lower
