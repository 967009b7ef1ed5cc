"""Averaged weights: the average itself, and runs that keep averages, stopped or packed."""

import math
from typing import Any

import pytest
import torch

from search_spaces.declaration.known_architectures import config_from_values
from tests.support.epochs import numbers_of
from trainables.galaxies.galaxy_file import Galaxies
from trainables.galaxies.split import split_galaxies
from trainables.packs.packed_training import PackedTraining
from trainables.training.averaged_weights import AveragedWeights
from trainables.training.metrics import rmse
from trainables.training.prediction import predict
from trainables.training.training_run import TrainingRun

CPU = torch.device("cpu")
SMALL = {"architecture": "residual_cnn", "width": 0.1, "depth": 1, "input_side": 32}
SMALL |= {"batch_size": 32, "epochs": 3, "kept_weights": "averaged", "dropout": 0.0}


def run_of(toys: Galaxies, **values: Any) -> TrainingRun:
    return TrainingRun(config_from_values(SMALL | values), toys, split_galaxies(toys, "seed"), CPU)


def test_the_average_by_hand() -> None:
    weights = {"w": torch.zeros(1), "n": torch.tensor(0)}
    average = AveragedWeights(weights, num_steps=2)
    for value in (1.0, 2.0, 3.0):
        weights["w"].fill_(value)
        weights["n"] += 1
        average.follow(weights)
    first = 0.9 * 1.0  # decay 1/10
    second = 2 / 11 * first + 9 / 11 * 2.0
    third = 3 / 12 * second + 9 / 12 * 3.0
    assert float(average.state["w"]) == pytest.approx(third)
    assert int(average.state["n"]) == 3
    average.count = 1000  # the decay of the memory
    average.follow(weights)
    decay = math.exp(-1 / 2)
    assert float(average.state["w"]) == pytest.approx(decay * third + (1 - decay) * 3.0)


def test_the_averages_stand_in_the_network_while_the_block_runs() -> None:
    layer = torch.nn.Linear(2, 2)
    weights = dict(layer.state_dict(keep_vars=True))
    average = AveragedWeights(weights, num_steps=1)
    address = layer.weight.data_ptr()
    with torch.no_grad():
        layer.weight.add_(1)
    raw = layer.weight.detach().clone()
    with pytest.raises(RuntimeError), average.in_place_of(weights):
        torch.testing.assert_close(layer.weight.detach(), raw - 1)
        raise RuntimeError
    torch.testing.assert_close(layer.weight.detach(), raw)
    assert layer.weight.data_ptr() == address


@pytest.mark.slow
def test_the_metrics_and_the_kept_weights_are_those_of_the_averages(toys: Galaxies) -> None:
    run = run_of(toys, averaging_epochs=3.0)
    report = [run.run_epoch() for _ in range(2)][-1]
    rows = run.split.validation

    def error() -> float:
        return rmse(predict(run.network, toys.images, CPU, rows), toys.target[rows])

    assert error() == pytest.approx(report.val_rmse_raw, rel=1e-5)
    assert report.val_rmse != report.val_rmse_raw
    best = run.reports[run.best_epoch - 1]
    run.restore_best_weights()
    assert error() == pytest.approx(best.val_rmse, rel=1e-5)


@pytest.mark.slow
def test_a_stopped_run_goes_on_with_its_averages(toys: Galaxies) -> None:
    whole, first = run_of(toys), run_of(toys)
    for _ in range(3):
        whole.run_epoch()
    first.run_epoch()
    second = run_of(toys)
    second.load_state(first.state())
    for _ in range(2):
        second.run_epoch()
    assert numbers_of(second.reports) == numbers_of(whole.reports)


@pytest.mark.slow
def test_a_pack_gives_the_numbers_of_single_runs(toys: Galaxies) -> None:
    configs: list[dict[str, Any]] = [
        {"seed": 0},
        {"seed": 1, "kept_weights": "raw", "brightness": 0.3},
    ]
    alone = [run_of(toys, precision="float32", **values) for values in configs]
    packed = [run_of(toys, precision="float32", **values) for values in configs]
    for run in alone:
        run.run_epoch()
    PackedTraining(packed).run_epoch()
    for one, other in zip(alone, packed):
        for mine, theirs in zip(numbers_of(one.reports), numbers_of(other.reports)):
            assert mine == pytest.approx(theirs, rel=1e-3, abs=1e-6)
