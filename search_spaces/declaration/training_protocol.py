"""The hyperparameters that every architecture shares: how it is trained and what is lost.

The defaults are the protocol of the student project's main notebooks; "seed:" marks a value
read in them. Ranges stand beside the defaults, each declared here once.
"""

from typing import Annotated, Any, ClassVar, Literal

from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from pydantic import BeforeValidator, Field

from search_spaces.declaration.frozen_config import FrozenConfig
from search_spaces.declaration.hyperparameters import STACKABLE, Each, OnlyIf

# Aliases, so that an architecture can change a default without repeating a range.
Epochs = Annotated[int, Field(ge=1), STACKABLE]
Patience = Annotated[int, Field(ge=0), STACKABLE]
BatchSize = Annotated[int, Field(ge=1), CategoricalDistribution((32, 64, 128, 256))]
RotationDegrees = Annotated[
    float, Field(ge=0, le=180), CategoricalDistribution((0, 25, 180)), STACKABLE
]
Flips = Annotated[bool, CategoricalDistribution((False, True)), STACKABLE]
Fraction = Annotated[float, Field(ge=0, lt=1), STACKABLE]
ShearDegrees = Annotated[float, Field(ge=0, lt=90), STACKABLE]
Dropout = Annotated[float, Field(ge=0, lt=1), FloatDistribution(0.0, 0.5), STACKABLE]

# Above .1 no config came near the good ones on real galaxies, so the search ends there.
_COEFFICIENTS = FloatDistribution(1e-5, 1e-1, log=True)
Coefficient = Annotated[float, Field(ge=0)]
Coefficients = Annotated[tuple[Coefficient, ...], Field(min_length=11, max_length=11)]


class TrainingProtocol(FrozenConfig):
    """How to train one network; subclasses add `architecture` and what the network itself has.

    PUBLISHED: the values that bring back what the student project did and the defaults correct.
    STACKS: whether networks of the architecture can be trained several as one, all that differs
    between them being weights, buffers and rates of dropout.
    """

    STACKS: ClassVar[bool] = False

    PUBLISHED: ClassVar[dict[str, Any]] = {
        "tree": "as_published",
        "early_stopping_metric": "val_loss",
    }

    architecture: str
    seed: Annotated[int, Field(ge=0), STACKABLE] = (
        0  # decides weights, order, augmentation and dropout
    )

    # length and step
    epochs: Epochs = 300  # seed: fit(epochs=300)
    batch_size: BatchSize = 128  # seed: generator batch
    learning_rate: Annotated[
        float, Field(gt=0), FloatDistribution(1e-4, 1e-2, log=True), STACKABLE
    ] = 1e-3  # seed: Adam's default
    optimizer: Annotated[
        Literal["adam", "adamw"], CategoricalDistribution(("adam", "adamw")), STACKABLE
    ] = "adam"  # seed: 'adam'
    adam_epsilon: Annotated[float, Field(gt=0), STACKABLE] = 1e-7  # Keras' default, torch has 1e-8
    weight_decay: Annotated[
        float,
        Field(ge=0),
        FloatDistribution(1e-5, 1e-1, log=True),
        OnlyIf("optimizer", "adamw"),
        STACKABLE,
    ] = 1e-2  # torch's default for AdamW; the seed used none
    schedule: Annotated[
        Literal["constant", "cosine"], CategoricalDistribution(("constant", "cosine")), STACKABLE
    ] = "constant"  # seed: constant; every published RMSE below .08 let the rate fall
    warmup_epochs: Annotated[
        int, Field(ge=0), IntDistribution(0, 3), OnlyIf("schedule", "cosine"), STACKABLE
    ] = 1  # enough to settle Adam's moments; longer only pays in long runs

    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    #   of the passes while training; weights, loss and evaluation are float32 whichever it is.
    #   auto: bfloat16 where the device computes it itself, which costs no accuracy that we could
    #   measure; the seed used float32

    # stopping; the best epoch's weights are the ones that are kept
    early_stopping_metric: Annotated[Literal["val_rmse", "val_loss"], STACKABLE] = "val_rmse"
    # seed: val_loss, which holds tuned terms; the reported metric is monitored instead
    early_stopping_patience: Patience = 50  # seed: 50 epochs; 0 means never

    # augmentation: all drawn uniformly within +- the value, borders repeated outwards
    rotation_degrees: RotationDegrees = 25.0  # seed: 25; a galaxy has no up, so 180 is offered
    flips: Flips = False  # seed: none in the main notebooks
    shift_fraction: Fraction = 0.05  # seed: 5 % of the side
    zoom_fraction: Fraction = 0.10  # seed: 10 %, each axis by itself as Keras does
    shear_degrees: ShearDegrees = 0.0  # seed: none
    augmentation_strength: Annotated[
        float, Field(ge=0, le=3), FloatDistribution(0.0, 2.0), STACKABLE
    ] = 1.0  # factor on shift, zoom and shear; 1 is the published strength

    # loss: mean squared error + sum over questions of coefficient x |tree residual|
    tree: Annotated[
        Literal["true", "as_published"],
        BeforeValidator(lambda given: "true" if given is True else given),
        STACKABLE,
    ] = "true"  # as_published ties Class7 to Class5.2; YAML reads an unquoted true as a boolean
    coefficient_sharing: Annotated[
        Literal["shared", "per_question"],
        CategoricalDistribution(("shared", "per_question")),
        STACKABLE,
    ] = "shared"  # seed: one coefficient
    constraint_coefficient: Annotated[
        Coefficient, _COEFFICIENTS, OnlyIf("coefficient_sharing", "shared"), STACKABLE
    ] = 1e-3  # seed: lambda = 0.001
    constraint_coefficients: Annotated[
        Coefficients,
        Each(_COEFFICIENTS),
        OnlyIf("coefficient_sharing", "per_question"),
        STACKABLE,
    ] = (1e-3,) * 11  # the shared value, question by question

    def coefficients(self) -> tuple[float, ...]:
        """The eleven constraint coefficients in use, in question order."""
        if self.coefficient_sharing == "shared":
            return (self.constraint_coefficient,) * 11
        return self.constraint_coefficients
