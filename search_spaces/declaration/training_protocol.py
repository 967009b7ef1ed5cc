"""The hyperparameters that every architecture shares: training, augmentation and loss.

The defaults are the values of the student project's main notebooks, unless the comment beside a
default says otherwise. A comment that begins with "published:" says how the notebooks give the
value. The range that is searched stands beside the default, and each range is declared once.
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from search_spaces.declaration.annotations import STACKABLE, Each, OnlyIf
from search_spaces.declaration.frozen_config import FrozenConfig
from search_spaces.declaration.quiet_optuna import (
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from search_spaces.declaration.stored_paths import absolute_folder

# With these aliases an architecture can change a default and does not repeat the range.
Epochs = Annotated[int, Field(ge=1, le=1_000_000), STACKABLE]
Patience = Annotated[int, Field(ge=0), STACKABLE]
BatchSize = Annotated[int, Field(ge=1), CategoricalDistribution((32, 64, 128, 256))]
RotationDegrees = Annotated[
    float, Field(ge=0, le=180), CategoricalDistribution((0, 25, 180)), STACKABLE
]
Flips = Annotated[bool, CategoricalDistribution((False, True)), STACKABLE]
Fraction = Annotated[float, Field(ge=0, lt=1), STACKABLE]
ShearDegrees = Annotated[float, Field(ge=0, lt=90), STACKABLE]
Dropout = Annotated[float, Field(ge=0, lt=1), FloatDistribution(0.0, 0.5), STACKABLE]
KeptWeights = Annotated[
    Literal["raw", "averaged"], CategoricalDistribution(("raw", "averaged")), STACKABLE
]
ZoomAxes = Annotated[
    Literal["each", "alike"], CategoricalDistribution(("each", "alike")), STACKABLE
]
FieldFraction = Annotated[float, Field(gt=0, le=1), STACKABLE]
Brightness = Annotated[
    float, Field(ge=0, lt=1), CategoricalDistribution((0.0, 0.1, 0.3)), STACKABLE
]
HeadOfNetwork = Annotated[
    Literal["sigmoid", "tree_softmax", "tree_softplus"],
    CategoricalDistribution(("sigmoid", "tree_softmax", "tree_softplus")),
]
# With "zero" the first epochs show how fast a network leaves 0.5, so no search draws it.
OutputBias = Annotated[Literal["votes", "zero"], CategoricalDistribution(("votes",)), STACKABLE]
# The draws have no effect on a file without flags of unbiased galaxies, so no search varies them.
Resampling = Annotated[Literal["votes", "none"], CategoricalDistribution(("votes",)), STACKABLE]
Calibration = Annotated[Literal["votes", "none"], CategoricalDistribution(("votes",)), STACKABLE]

# On real galaxies no config with a coefficient above 0.1 came near the good configs.
_COEFFICIENTS = FloatDistribution(1e-5, 1e-1, log=True)
Coefficient = Annotated[float, Field(ge=0)]
Coefficients = Annotated[tuple[Coefficient, ...], Field(min_length=11, max_length=11)]


class TrainingProtocol(FrozenConfig):
    """A config of one training run, with the hyperparameters that all architectures share.

    Each architecture has a subclass, which gives `architecture` its name and adds the
    hyperparameters of the network.

    STACKS: True if several networks of the architecture can be trained as one pack.
    FROM_NOTEBOOKS: True if the student project published the network, so that the config of the
    defaults is the published config. RECOMMENDED:
    the configs that a search tries after the published config, in order, each as values by field
    name; () if there are none. PUBLISHED: the values, by field name, with which a training
    reproduces the student project, its mistakes included; the defaults of these fields may differ.

    architecture: the architecture's name. seed: the random seed, 0 or more. begin_from: the folder
    of an export of the same architecture, whose weights training begins with; None for new
    weights. The path is stored as an absolute path. epochs: the largest
    number of passes over the training galaxies. batch_size: number of galaxies in a training step;
    the last step of an epoch may have fewer.

    learning_rate: the highest learning rate. optimizer: "adam" or "adamw". adam_epsilon: the
    constant in the denominator of Adam's step. weight_decay: the decay of "adamw"; "adam" ignores
    the field. schedule: "constant", or "cosine" for a rate that falls towards 0. warmup_epochs:
    number of epochs in which the rate of "cosine" first rises, at most `epochs` - 1; a larger
    number counts as `epochs` - 1, and "constant" ignores the field. precision: the number type of
    the passes in training, "float32", "bfloat16", or "auto" for the type that suits the device.

    kept_weights: the weights that are validated and kept: "raw" for those after the last step of
    an epoch, "averaged" for an exponential moving average over the steps, which training does not
    read.
    averaging_epochs: number of epochs over which the average reaches back, above 0; "raw" ignores
    the field.

    early_stopping_metric: the metric, "val_rmse" or "val_loss", whose lowest value decides the
    epoch with the weights that are kept. early_stopping_patience: number of epochs without a
    better metric after which training stops. 0 means that training never stops early.

    resampling: "none" draws each training galaxy once in an epoch. "votes" draws it the more often
    the more its votes resemble those of the validation galaxies, if the file marks the unbiased
    galaxies; otherwise "votes" does the same as "none".

    calibration: "votes" scales and shifts the outputs of the last layer after each epoch, such
    that the squared error of the validation galaxies is lowest, if the file marks the unbiased
    galaxies; otherwise "votes" does the same as "none". The kept weights are then calibrated, and
    training goes on with the others.

    rotation_degrees: the largest rotation of an image, in degrees. flips: True to mirror each
    image with a probability of one half. shift_fraction: the largest shift along each axis, as a
    fraction of the side. zoom_fraction: the largest relative change of size along each axis.
    zoom_axes: "each" draws the change of size for each axis separately, "alike" once for both.
    shear_degrees: the largest shear, in degrees. brightness: the largest relative change of all
    pixels of an image; pixels above 1 become 1. augmentation_strength: factor on shift, zoom and
    shear; the products are limited to a zoom of 0.9 and a shear of 80 degrees.

    field_fraction: width of the central part of a stored image that the network sees, as a
    fraction of the image's side, above 0 and at most 1. Movements bring pixels from outside the
    part into view. Shifts are fractions of the part.

    head: "sigmoid" for 37 independent sigmoids; "tree_softmax" or "tree_softplus" for fractions
    that follow the true decision tree by construction, so that the constraint coefficients have no
    use. output_bias: the predictions with which training begins: "votes" for the mean vote
    fractions of the training galaxies, "zero" for those of a last layer without bias. The field
    has no effect if the last layer begins with the weights of `begin_from`.

    tree: "true" for the decision tree of Galaxy Zoo 2, "as_published" for that of the student
    project. coefficient_sharing: "shared" uses `constraint_coefficient` for all questions,
    "per_question" uses the eleven `constraint_coefficients`, in the order of the questions. All
    coefficients are 0 or more, and are used with the head "sigmoid" only.
    """

    STACKS: ClassVar[bool] = False
    FROM_NOTEBOOKS: ClassVar[bool] = True
    # The tree head alone lowered the RMSE of the simple CNN by 10 % in 10 epochs
    # (benchmarks/2026-11-28-networks.md). The other values are the practice of the best results
    # in the literature; their own effect is not measured yet.
    RECOMMENDED: ClassVar[tuple[Mapping[str, Any], ...]] = (
        {
            "optimizer": "adamw",
            "schedule": "cosine",
            "kept_weights": "averaged",
            "rotation_degrees": 180.0,
            "flips": True,
            "head": "tree_softmax",
        },
    )

    PUBLISHED: ClassVar[dict[str, Any]] = {
        "tree": "as_published",
        "early_stopping_metric": "val_loss",
    }

    @classmethod
    def word_for_defaults(cls) -> Literal["published", "default"]:
        """Return how the config of the defaults is called: published, or default if it is not."""
        return "published" if cls.FROM_NOTEBOOKS else "default"

    architecture: str
    # the random seed of the weights, the order of the galaxies, augmentation and dropout
    seed: Annotated[int, Field(ge=0, lt=2**32), STACKABLE] = 0

    # the export whose weights training begins with
    begin_from: Annotated[str | None, AfterValidator(absolute_folder), STACKABLE] = None
    # published: no network was trained on other galaxies before

    # training length and optimiser
    epochs: Epochs = 300  # published: fit(epochs=300)
    batch_size: BatchSize = 128  # published: the data generators' batch size
    learning_rate: Annotated[
        float, Field(gt=0), FloatDistribution(1e-4, 1e-2, log=True), STACKABLE
    ] = 1e-3  # published: Adam's default
    optimizer: Annotated[
        Literal["adam", "adamw"], CategoricalDistribution(("adam", "adamw")), STACKABLE
    ] = "adam"  # published: optimizer 'adam'
    adam_epsilon: Annotated[float, Field(gt=0), STACKABLE] = 1e-7
    # published: the default of Keras; that of torch is 1e-8
    weight_decay: Annotated[
        float,
        Field(ge=0),
        FloatDistribution(1e-5, 1e-1, log=True),
        OnlyIf("optimizer", "adamw"),
        STACKABLE,
    ] = 1e-2  # torch's default for AdamW; the notebooks have no weight decay
    schedule: Annotated[
        Literal["constant", "cosine"], CategoricalDistribution(("constant", "cosine")), STACKABLE
    ] = "constant"
    # published: constant; a search offers "cosine" because the learning rate falls in the training
    # of every network in the literature with an RMSE below 0.08
    warmup_epochs: Annotated[
        int, Field(ge=0), IntDistribution(0, 3), OnlyIf("schedule", "cosine"), STACKABLE
    ] = 1  # enough for Adam's moments to settle; a longer warm-up helps only in long runs

    # The type in which the network is computed while it trains. Weights, loss and evaluation are
    # float32 in any case. "auto" is bfloat16 on a device that is faster in bfloat16, because
    # no loss of accuracy was measured, and float32 on all others. The notebooks use float32.
    precision: Literal["auto", "float32", "bfloat16"] = "auto"

    # the weights that are validated and kept: those of the last step, or an average over steps
    kept_weights: KeptWeights = (
        "raw"  # published: raw; averages rank configs better in their first epochs
    )
    averaging_epochs: Annotated[
        float,
        Field(gt=0),
        FloatDistribution(0.3, 3.0, log=True),
        OnlyIf("kept_weights", "averaged"),
        STACKABLE,
    ] = 1.0  # an average over more epochs lags behind the weights while these still learn

    # early stopping: the weights of the best epoch are kept
    early_stopping_metric: Annotated[Literal["val_rmse", "val_loss"], STACKABLE] = "val_rmse"
    # the reported metric; the notebooks monitor val_loss, which changes with the coefficients
    early_stopping_patience: Patience = 50  # published: 50 epochs

    # how often a training galaxy is drawn, if the file says which galaxies are unbiased
    resampling: Resampling = "none"
    # published: none; on real galaxies the RMSE of the simple CNN falls by 9 % in 10 epochs
    # (benchmarks/2026-11-28-networks.md)

    # whether the last layer is calibrated to the validation galaxies, if these alone are unbiased
    calibration: Calibration = "none"
    # published: none; on real galaxies the RMSE of a backbone falls by 4 %
    # (benchmarks/2026-11-28-networks.md)

    # augmentation: each draw is uniform within +- the value; border pixels of the stored image
    # repeat outwards
    rotation_degrees: RotationDegrees = 25.0
    # published: 25; a search also offers 180, because a galaxy has no up
    flips: Flips = False  # published: the main notebooks do not mirror
    shift_fraction: Fraction = 0.05  # published: 5 % of the side
    zoom_fraction: Fraction = 0.10  # published: 10 %, drawn for each axis separately as in Keras
    shear_degrees: ShearDegrees = 0.0  # published: the main notebooks do not shear
    zoom_axes: ZoomAxes = "each"  # published: each; a galaxy that is zoomed alike keeps its shape
    brightness: Brightness = (
        0.0  # published: none; the exposure of an image says nothing about the galaxy's shape
    )
    field_fraction: FieldFraction = 1.0
    # published: the network sees the whole stored image; at less than 1 the images need more field
    augmentation_strength: Annotated[
        float, Field(ge=0, le=3), FloatDistribution(0.0, 2.0), STACKABLE
    ] = 1.0  # published: shift, zoom and shear as declared above

    # the last layer: how its outputs become vote fractions, and where it begins
    head: HeadOfNetwork = "sigmoid"
    # published: 37 sigmoids; a tree head has no tree residual and a lower RMSE
    output_bias: OutputBias = "zero"
    # published: zero; with "votes" the first epochs rank networks, not how fast they leave 0.5

    # loss: mean squared error + sum over questions of coefficient x |tree residual|
    tree: Annotated[
        Literal["true", "as_published"],
        BeforeValidator(lambda given: "true" if given is True else given),
        STACKABLE,
    ] = "true"
    # the notebooks ("as_published") tie the answers to question 7 to Class5.2, which is a mistake;
    # the validator is needed because YAML reads an unquoted true as a boolean
    coefficient_sharing: Annotated[
        Literal["shared", "per_question"],
        CategoricalDistribution(("shared", "per_question")),
        OnlyIf("head", "sigmoid"),
        STACKABLE,
    ] = "shared"  # published: one coefficient for all questions
    constraint_coefficient: Annotated[
        Coefficient, _COEFFICIENTS, OnlyIf("coefficient_sharing", "shared"), STACKABLE
    ] = 1e-3  # published: lambda = 0.001
    constraint_coefficients: Annotated[
        Coefficients,
        Each(_COEFFICIENTS),
        OnlyIf("coefficient_sharing", "per_question"),
        STACKABLE,
    ] = (1e-3,) * 11  # the default of the shared coefficient, for each question

    def coefficients(self) -> tuple[float, ...]:
        """Return the eleven constraint coefficients in use, in the order of the questions.

        With `coefficient_sharing` "shared" the eleven values are equal. With a tree head all are
        0, because such a head has no tree residual.
        """
        if self.head != "sigmoid":
            return (0.0,) * 11
        if self.coefficient_sharing == "shared":
            return (self.constraint_coefficient,) * 11
        return self.constraint_coefficients
