"""Tests of the calibration of a network's last layer on the validation galaxies."""

from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pytest
import torch
from scipy.optimize import least_squares
from torch import Tensor

from search_spaces.declaration import config_from_values
from trainables.galaxies import Galaxies, Split, split_galaxies
from trainables.layers.vote_layer import HeadName, VoteLayer, vote_fractions
from trainables.training.calibration import calibration, is_calibrated
from trainables.training.divergence import Diverged
from trainables.training.metrics import rmse
from trainables.training.prediction import predict
from trainables.training.training_run import TrainingRun

CPU = torch.device("cpu")
HEADS = get_args(HeadName)
SMALL: dict[str, Any] = {"architecture": "simple_cnn", "width": 0.1, "batch_size": 32, "epochs": 2}


def outputs_of(num_galaxies: int, seed: int = 0) -> Tensor:
    """Draw outputs [N, 37] of a last layer, float64."""
    return torch.randn(num_galaxies, 37, generator=torch.Generator().manual_seed(seed)).double()


@pytest.mark.parametrize("head", HEADS)
def test_a_known_bias_of_the_outputs_is_found(head: HeadName) -> None:
    z = outputs_of(2000)
    votes = vote_fractions(0.7 * z - 0.4 * torch.cos(torch.arange(37.0)), head)
    found = calibration(z, votes, head)
    calibrated = vote_fractions(z * found.scale + found.shift, head)
    before = rmse(vote_fractions(z, head).numpy(), votes.numpy())
    assert before > 0.03
    assert rmse(calibrated.numpy(), votes.numpy()) < 0.03 * before
    assert rmse(found.predicted, votes.numpy()) < 0.05 * before


def test_the_loss_is_the_lowest_that_another_minimiser_finds() -> None:
    z = outputs_of(40)
    votes = vote_fractions(outputs_of(40, seed=1), "tree_softmax")
    found = calibration(z, votes, "tree_softmax")

    def residuals(theta: np.ndarray) -> np.ndarray:
        scale, shift = torch.from_numpy(theta).chunk(2)
        error = vote_fractions(z * (1 + scale) + shift, "tree_softmax") - votes
        return np.append(error.numpy().ravel(), np.sqrt(0.1) * theta)

    other = least_squares(residuals, np.zeros(74))
    ours = torch.cat([found.scale - 1, found.shift]).numpy()
    assert np.square(residuals(ours)).sum() <= 2 * other.cost * (1 + 1e-4)


def test_each_prediction_is_that_of_a_fit_without_the_galaxy() -> None:
    z = outputs_of(300)
    votes = vote_fractions(0.8 * z + 0.3 * outputs_of(300, seed=2), "tree_softmax")
    found = calibration(z, votes, "tree_softmax")
    outside = torch.arange(300) % 5 != 2
    alone = calibration(z[outside], votes[outside], "tree_softmax")
    expected = vote_fractions(z * alone.scale + alone.shift, "tree_softmax")[~outside]
    np.testing.assert_allclose(found.predicted[~outside.numpy()], expected, atol=2e-3)
    whole = vote_fractions(z * found.scale + found.shift, "tree_softmax")[~outside]
    assert np.abs(found.predicted[~outside.numpy()] - whole.numpy()).max() > 5e-3


def test_one_galaxy_changes_little() -> None:
    z, votes = outputs_of(1), vote_fractions(outputs_of(1, seed=3), "tree_softmax")
    found = calibration(z, votes, "tree_softmax")
    np.testing.assert_allclose(found.predicted, vote_fractions(z, "tree_softmax"), atol=1e-3)


@pytest.mark.parametrize("head", HEADS)
def test_the_calibrated_layer_scales_and_shifts_its_outputs(head: HeadName) -> None:
    layer, features = VoteLayer(5, head), torch.randn(30, 5)
    z = torch.nn.functional.linear(features, layer.weight, layer.bias).detach()
    found = calibration(z, vote_fractions(outputs_of(30), head), head)
    expected = vote_fractions(z * found.scale + found.shift, head)
    weight, bias = found.of_layer(layer.weight.detach(), layer.bias.detach())
    layer.load_state_dict({"weight": weight, "bias": bias})
    assert weight.dtype == torch.float32
    np.testing.assert_allclose(layer(features).detach(), expected, atol=1e-6)


@pytest.fixture(scope="module")
def split(toys: Galaxies) -> Split:
    return split_galaxies(toys, "seed")


def run_of(toys: Galaxies, split: Split, *, flags: bool = True, **values: Any) -> TrainingRun:
    """Return a training of the toy galaxies, whose validation galaxies are marked as unbiased."""
    marked = np.isin(np.arange(len(toys)), split.validation)
    galaxies = replace(toys, unbiased=marked if flags else None)
    return TrainingRun(config_from_values({**SMALL, **values}), galaxies, split, CPU)


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("kept", ["raw", "averaged"])
def test_the_kept_weights_are_calibrated_and_training_is_not(
    toys: Galaxies, split: Split, head: HeadName, kept: str
) -> None:
    values: dict[str, Any] = {"head": head, "kept_weights": kept}
    plain, run = (run_of(toys, split, calibration=c, **values) for c in ("none", "votes"))
    for one in (plain, run):
        one.run_epoch()
        one.run_epoch()
    assert [r.train_loss for r in run.reports] == [r.train_loss for r in plain.reports]
    voted = toys.target[split.validation]
    assert run.best_predictions is not None
    reported = run.reports[run.best_epoch - 1].val_rmse
    assert rmse(run.best_predictions.astype(np.float32), voted) == pytest.approx(
        reported, abs=1e-4
    )
    for one in (plain, run):
        one.restore_best_weights()
    errors = [
        rmse(predict(o.network, toys.images, CPU, split.validation), voted) for o in (plain, run)
    ]
    assert errors[1] < errors[0]


def test_without_flags_nothing_is_calibrated(toys: Galaxies, split: Split) -> None:
    run, plain = (run_of(toys, split, flags=False, calibration=c) for c in ("votes", "none"))
    assert not is_calibrated(run.config, run.galaxies)
    assert run.run_epoch().val_rmse == plain.run_epoch().val_rmse


def test_an_average_that_is_not_finite_is_not_calibrated(toys: Galaxies, split: Split) -> None:
    run = run_of(toys, split, calibration="votes", learning_rate=1e30)
    with pytest.raises(Diverged):
        run.run_epoch()
