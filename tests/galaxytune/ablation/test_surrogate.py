"""The model of an ablation: it learns from complete trials what decides the RMSE."""

import math

import numpy as np
import pytest

from galaxytune.ablation.surrogate import ConfigInputs, Surrogate, fitted_surrogate
from search_spaces.simple_cnn import Config
from tests.support.records import made_up_record, made_up_records, record


def test_the_inputs_of_a_config_are_scaled_as_declared() -> None:
    configs = [
        Config(learning_rate=1e-4, dropout=0.1, flips=True),
        Config(learning_rate=1e-2, dropout=0.5, flips=False),
    ]
    inputs = ConfigInputs(configs)
    assert inputs.num_columns == 4  # learning rate, dropout, and a column for each of two flips
    middle = Config(learning_rate=1e-3, dropout=0.2, flips=True)
    assert inputs.of([middle])[0] == pytest.approx([0.5, 0.25, 1, 0])


def test_a_number_that_is_not_in_use_is_in_the_middle() -> None:
    adamw = [Config(optimizer="adamw", weight_decay=value) for value in (1e-4, 1e-2)]
    inputs = ConfigInputs([*adamw, Config()])
    assert inputs.of([Config(), adamw[1]]).tolist() == [[0.5, 0.0, 1.0], [1.0, 1.0, 0.0]]


def test_each_entry_of_a_tuple_is_a_number() -> None:
    configs = [
        Config(coefficient_sharing="per_question", constraint_coefficients=(c, *(1e-3,) * 10))
        for c in (1e-4, 1e-2)
    ]
    assert ConfigInputs(configs).of(configs).tolist() == [[0.0], [1.0]]


def test_a_coefficient_of_zero_does_not_break_the_scale() -> None:
    configs = [Config(constraint_coefficient=value) for value in (0.0, 0.05, 0.1)]
    assert ConfigInputs(configs).of(configs)[:, 0] == pytest.approx([0, 0.5, 1])


@pytest.mark.slow
def test_the_model_predicts_configs_that_it_has_not_seen() -> None:
    model = fitted_surrogate(made_up_records(40), "simple_cnn")
    assert model is not None and model.num_trials == 40
    others = [made_up_record(number) for number in range(100, 120)]
    predicted = model.predict([other.config for other in others])
    errors = [abs(p.median - (o.val_rmse or 0)) for p, o in zip(predicted, others)]
    assert np.mean(errors) < 0.002  # the RMSEs go from .08 to .11
    assert all(p.low <= p.median <= p.high for p in predicted)


def test_too_few_trials_or_trials_that_are_alike_give_no_model() -> None:
    trials = made_up_records(9)
    pruned = [made_up_record(number, status="pruned") for number in range(9, 30)]
    assert fitted_surrogate([*trials, *pruned], "simple_cnn") is None
    assert fitted_surrogate(made_up_records(10), "parallel_cnn") is None
    alike = [record(number, 0.1 + number / 1000, seed=number) for number in range(12)]
    assert fitted_surrogate(alike, "simple_cnn") is None
    assert fitted_surrogate(made_up_records(10), "simple_cnn") is not None


@pytest.mark.slow
def test_of_very_many_trials_a_part_is_taken_with_the_best_and_the_worst() -> None:
    trials = made_up_records(300)
    model = Surrogate(trials)
    assert model.num_trials == 250
    (best,) = model.predict([min(trials, key=lambda t: t.val_rmse or 1).config])
    assert math.isclose(best.median, 0.08, abs_tol=0.002)
