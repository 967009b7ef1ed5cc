"""What was searched and what decided the RMSE, on made-up trials of which the answer is known."""

import pytest

from analysis.statistics.hyperparameter_importance import (
    FEWEST_TRIALS,
    importance_of_hyperparameters,
    searched_fields,
)
from tests.support.records import made_up_record, made_up_records


def test_the_one_hyperparameter_that_matters_is_found() -> None:
    importance = importance_of_hyperparameters(made_up_records(60), "simple_cnn")
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
    assert importance_of_hyperparameters(records, "simple_cnn") == {}
    assert importance_of_hyperparameters([*records, made_up_record(99)], "simple_cnn") != {}


def test_a_trial_outside_the_declared_ranges_does_not_count() -> None:
    records = made_up_records(FEWEST_TRIALS - 1) + [made_up_record(99, batch_size=48)]
    assert importance_of_hyperparameters(records, "simple_cnn") == {}


def test_trials_that_are_all_alike_tell_nothing() -> None:
    metrics = {"validation": {"rmse": 0.1, "tree_residual": 0.01}}
    alike = [record.model_copy(update={"metrics": metrics}) for record in made_up_records(25)]
    assert importance_of_hyperparameters(alike, "simple_cnn") == {}


def test_nothing_searched_gives_no_importance() -> None:
    fixed = {"learning_rate": 1e-3, "dropout": 0.1, "batch_size": 64}
    assert importance_of_hyperparameters(made_up_records(30, **fixed), "simple_cnn") == {}


def test_the_same_trials_give_the_same_importance() -> None:
    records = made_up_records(40)
    first, again = (importance_of_hyperparameters(records, "simple_cnn") for _ in range(2))
    assert first == again
