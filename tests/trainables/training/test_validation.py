"""Tests of the predictions that a run keeps of its best epoch, and of epochs not validated."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from search_spaces.declaration import config_from_values
from trainables.files import load_state, save_state
from trainables.galaxies import Galaxies, Split, split_galaxies
from trainables.packs import PackedTraining
from trainables.training.divergence import Diverged
from trainables.training.prediction import predict
from trainables.training.training_run import TrainingRun

CPU = torch.device("cpu")
SMALL: dict[str, Any] = {"width": 0.1, "batch_size": 32, "epochs": 2}


@pytest.fixture(scope="module")
def split(toys: Galaxies) -> Split:
    return split_galaxies(toys, "seed")


def run_of(toys: Galaxies, split: Split, **values: Any) -> TrainingRun:
    config = config_from_values({"architecture": "simple_cnn", **SMALL, **values})
    return TrainingRun(config, toys, split, CPU)


@pytest.mark.parametrize("values", [{}, {"kept_weights": "averaged"}])
def test_the_kept_predictions_are_those_of_the_best_weights(
    values: dict[str, Any], toys: Galaxies, split: Split, tmp_path: Path
) -> None:
    run = run_of(toys, split, **values)
    assert run.best_predictions is None
    for _ in range(2):
        run.run_epoch()
    save_state(tmp_path, run.state())
    run.restore_best_weights()
    expected = predict(run.network, toys.images, CPU, split.validation)
    assert run.best_predictions is not None and run.best_predictions.dtype == np.float16
    np.testing.assert_allclose(run.best_predictions, expected, rtol=0, atol=3e-4)

    state = load_state(tmp_path, CPU)
    assert state is not None
    resumed = run_of(toys, split, **values)
    resumed.load_state(state)
    np.testing.assert_array_equal(resumed.best_predictions, run.best_predictions)


def test_a_state_of_before_predictions_were_kept_goes_on(toys: Galaxies, split: Split) -> None:
    old, resumed = run_of(toys, split), run_of(toys, split)
    old.run_epoch()
    resumed.load_state({k: v for k, v in old.state().items() if k != "best_predictions"})
    assert resumed.best_predictions is None
    resumed.run_epoch()
    assert resumed.best_epoch == 1 or resumed.best_predictions is not None


def test_the_runs_of_a_pack_keep_predictions_too(toys: Galaxies, split: Split) -> None:
    runs = [run_of(toys, split, learning_rate=rate) for rate in (1e-3, 2e-3)]
    PackedTraining(runs).run_epoch()
    for run in runs:
        expected = predict(run.network, toys.images, CPU, split.validation)
        assert run.best_predictions is not None
        np.testing.assert_allclose(run.best_predictions, expected, rtol=0, atol=3e-4)


def test_epochs_without_validation_give_the_same_weights(toys: Galaxies, split: Split) -> None:
    whole = run_of(toys, split)
    blind = run_of(toys, replace(split, validation=np.array([], np.int64)))
    for epoch in (1, 2):
        report = whole.run_epoch()
        assert blind.train_epoch(epoch)["train_rmse"] == report.train_rmse
    expected = whole.last_weights()
    assert expected.keys() == whole.network.state_dict().keys()
    for name, tensor in blind.last_weights().items():
        assert torch.equal(expected[name], tensor), name


def test_an_epoch_without_validation_that_diverges_is_told(toys: Galaxies, split: Split) -> None:
    run = run_of(toys, split, learning_rate=1e30)
    with pytest.raises(Diverged, match="train_"):
        run.train_epoch(1)
        run.train_epoch(2)
