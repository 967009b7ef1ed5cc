"""What was searched and what decided the RMSE, on made-up trials of which the answer is known."""

from typing import Any

import numpy as np
import pytest

from analysis.hyperparameter_importance import (
    FEWEST_TRIALS,
    hyperparameter_importance,
    searched_fields,
)
from analysis.trial_record import TrialRecord
from search_spaces import config_class


def made_up_record(number: int, status: str = "complete", **changes: Any) -> TrialRecord:
    """A simple_cnn whose RMSE rises with the distance of its learning rate from 1e-3, only."""
    chance = np.random.default_rng(number)
    drawn = {
        "learning_rate": float(10 ** chance.uniform(-4, -2)),
        "dropout": float(chance.uniform(0, 0.5)),
        "batch_size": int(chance.choice([32, 64, 128, 256])),
        **changes,
    }
    config = config_class("simple_cnn")(**drawn).model_dump(mode="json")
    val_rmse = 0.08 + 0.03 * abs(np.log10(drawn["learning_rate"]) + 3)
    return TrialRecord(
        id=f"{number:05d}",
        architecture="simple_cnn",
        config=config,
        published=number == 0,
        status=status,  # type: ignore[arg-type]
        reason="all epochs trained",
        best_epoch=3,
        metrics={"validation": {"rmse": val_rmse, "tree_residual": 0.01}},
        epochs=3,
        device_seconds=1.0,
        wandb_run_id=None,
    )


def made_up_records(num_trials: int, **changes: Any) -> list[TrialRecord]:
    return [made_up_record(number, **changes) for number in range(num_trials)]


def test_the_one_hyperparameter_that_matters_is_found() -> None:
    importance = hyperparameter_importance(made_up_records(60), "simple_cnn")
    assert next(iter(importance)) == "learning_rate"
    assert importance["learning_rate"] > 0.6
    assert sum(importance.values()) == pytest.approx(1)


def test_only_what_took_two_values_was_searched() -> None:
    names = [field.name for field in searched_fields(made_up_records(5), "simple_cnn")]
    assert names == ["batch_size", "learning_rate", "dropout"]
    assert searched_fields(made_up_records(1), "simple_cnn") == []


def test_a_field_that_depends_on_another_has_no_value_where_it_is_unused() -> None:
    records = [
        made_up_record(0),
        made_up_record(1, optimizer="adamw", weight_decay=1e-3),
        made_up_record(2, optimizer="adamw", weight_decay=1e-4),
    ]
    fields = {field.name: field.values for field in searched_fields(records, "simple_cnn")}
    assert fields["weight_decay"] == (None, 1e-3, 1e-4)


def test_every_entry_of_a_tuple_is_a_field() -> None:
    records = [
        made_up_record(i, coefficient_sharing="per_question", constraint_coefficients=(c,) * 11)
        for i, c in enumerate((1e-3, 1e-2))
    ]
    fields = [field for field in searched_fields(records, "simple_cnn") if field.tuple_field]
    assert [field.name for field in fields] == [
        f"constraint_coefficients.{i}" for i in range(1, 12)
    ]


def test_too_few_complete_trials_give_no_importance() -> None:
    stopped = [made_up_record(100 + i, status="pruned") for i in range(30)]
    records = made_up_records(FEWEST_TRIALS - 1) + stopped
    assert hyperparameter_importance(records, "simple_cnn") == {}
    assert hyperparameter_importance([*records, made_up_record(99)], "simple_cnn") != {}


def test_a_trial_outside_the_declared_ranges_does_not_count() -> None:
    records = made_up_records(FEWEST_TRIALS - 1) + [made_up_record(99, batch_size=48)]
    assert hyperparameter_importance(records, "simple_cnn") == {}


def test_trials_that_are_all_alike_tell_nothing() -> None:
    metrics = {"validation": {"rmse": 0.1, "tree_residual": 0.01}}
    alike = [record.model_copy(update={"metrics": metrics}) for record in made_up_records(25)]
    assert hyperparameter_importance(alike, "simple_cnn") == {}


def test_nothing_searched_gives_no_importance() -> None:
    fixed = {"learning_rate": 1e-3, "dropout": 0.1, "batch_size": 64}
    assert hyperparameter_importance(made_up_records(30, **fixed), "simple_cnn") == {}


def test_the_same_trials_give_the_same_importance() -> None:
    records = made_up_records(40)
    first, again = (hyperparameter_importance(records, "simple_cnn") for _ in range(2))
    assert first == again
