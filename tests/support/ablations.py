"""An ablation whose gains are known: four configs, trained or predicted."""

from collections.abc import Sequence

from analysis.records.ablation import Ablation, FieldChange, path_steps

CHANGES = [
    (),
    (FieldChange(field="learning_rate", old=0.001, new=0.0031234),),
    (
        FieldChange(field="optimizer", old="adam", new="adamw"),
        FieldChange(field="weight_decay", old=None, new=0.02),
    ),
    (FieldChange(field="dropout", old=0.0, new=0.25),),
]


def trained(values: Sequence[float | None] = (0.1, 0.08, 0.09, 0.07)) -> Ablation:
    """Return an ablation of four configs that were trained with one seed and reach these RMSEs."""
    return Ablation(
        study="s",
        trial="00007",
        architecture="simple_cnn",
        source="trained",
        order="predicted gain",
        num_seeds=1,
        num_modelled=None,
        steps=path_steps(
            CHANGES,
            values,
            [None] * 4,
            [() if value is None else (value,) for value in values],
            [int(value is None) for value in values],
        ),
    )


def predicted() -> Ablation:
    """Return an ablation of four configs whose RMSEs are predicted from 20 trials."""
    values = (0.1, 0.08, 0.09, 0.07)
    return Ablation(
        study="s",
        trial="00007",
        architecture="simple_cnn",
        source="predicted",
        order="predicted gain",
        num_seeds=None,
        num_modelled=20,
        steps=path_steps(
            CHANGES,
            values,
            [(value - 0.01, value + 0.01) for value in values],
            [()] * 4,
            [0] * 4,
        ),
    )
