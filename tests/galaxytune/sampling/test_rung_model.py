"""Gaussian processes of a config's value at each rung."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import spearmanr
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern

from galaxytune.sampling.gaussian_process import GaussianProcess, _loss_and_gradient
from galaxytune.sampling.rung_model import RungModel

Array = NDArray[np.float64]
NOBODY = np.empty((0, 3))


def data(count: int, seed: int = 0) -> tuple[Array, Array]:
    """Coordinates [N, 3], of which two count, and values [N]."""
    chance = np.random.default_rng(seed)
    coordinates = chance.random((count, 3))
    values = np.sin(4 * coordinates[:, 0]) + coordinates[:, 1] + 0.1 * chance.normal(size=count)
    return coordinates, values - values.mean()


def test_it_predicts_what_scikit_learns_does() -> None:
    coordinates, values = data(40)
    process = GaussianProcess(3)
    process.fit(coordinates, values, learn=True)
    *lengths, scale, noise = np.exp(process._logs)
    kernel = ConstantKernel(scale) * Matern(lengths, nu=2.5) + ConstantKernel(4.0)
    theirs = GaussianProcessRegressor(kernel, alpha=noise + 1e-8, optimizer=None)
    new = np.random.default_rng(1).random((20, 3))
    mean, deviation = theirs.fit(coordinates, values).predict(new, return_std=True)
    ours, variance = process.predict(new)
    assert ours == pytest.approx(mean, abs=1e-6)
    assert np.sqrt(variance) == pytest.approx(deviation, abs=1e-5)


def test_a_regressor_is_a_slope() -> None:
    coordinates, values = data(40)
    regressor = np.random.default_rng(2).normal(size=40)
    process = GaussianProcess(3)
    process.fit(coordinates, values + 0.7 * regressor, regressor, learn=True)
    assert process.slope == pytest.approx(0.7, abs=0.1)
    new = np.random.default_rng(1).random((5, 3))
    low, _ = process.predict(new, np.zeros(5))
    high, _ = process.predict(new, np.ones(5))
    assert high - low == pytest.approx(np.full(5, process.slope))


@pytest.mark.parametrize("count", [2, 30])
def test_the_gradient_is_the_losss(count: int) -> None:
    coordinates, values = data(count)
    squares = (coordinates.T[:, :, None] - coordinates.T[:, None]) ** 2
    logs, mean = np.array([0.2, -0.5, 0.7, 0.1, -1.0]), np.full(5, 0.1)
    given = squares, values, np.full((count, count), 4.0), mean, np.full(5, 0.8)
    _, gradient = _loss_and_gradient(logs, *given)
    steps = 1e-5 * np.eye(5)
    numeric = [
        (_loss_and_gradient(logs + s, *given)[0] - _loss_and_gradient(logs - s, *given)[0]) / 2e-5
        for s in steps
    ]
    assert gradient == pytest.approx(np.array(numeric), rel=1e-5, abs=1e-6)


def test_it_learns_which_coordinates_count_and_how_much_is_noise() -> None:
    coordinates, values = data(120)
    process = GaussianProcess(3)
    process.fit(coordinates, values, learn=True)
    lengths = np.exp(process._logs[:3])
    assert lengths[0] < lengths[1] < lengths[2]
    assert process.noise == pytest.approx(0.01, rel=0.5)


def rungs(count: int, seed: int = 0) -> tuple[Array, Array]:
    """Coordinates, and values at three rungs to which the best third of each come."""
    chance = np.random.default_rng(seed)
    coordinates = chance.random((count, 3))
    first = coordinates[:, 0] + 0.05 * chance.normal(size=count)
    second = 0.5 * first + coordinates[:, 1] - 1
    third = second - 0.2 + 0.01 * chance.normal(size=count)
    values = np.column_stack([first, second, third])
    for rung in (1, 2):
        last = np.nanquantile(values[:, rung - 1], 1 / 3)
        values[~(values[:, rung - 1] <= last), rung:] = np.nan
    return coordinates, values


@pytest.mark.slow
def test_what_a_later_rung_shows_counts_and_so_does_what_only_the_first_saw() -> None:
    model, (coordinates, values) = RungModel(3, 3), rungs(90)
    model.fit(coordinates, values, NOBODY)
    assert model.top == 2
    new = np.random.default_rng(5).random((200, 3))
    truth = 0.5 * new[:, 0] + new[:, 1]
    predicted = model.predict(new)
    among = new[:, 0] < 0.4  # where trials come to the second rung
    assert np.corrcoef(truth[among], predicted.mean[among])[0, 1] > 0.9
    by_first = np.corrcoef(new[~among, 0], predicted.mean[~among])[0, 1]
    assert by_first > 0.1
    ends = predicted.lowest
    assert ends == pytest.approx(np.nanmin(_standard(values)))


def _standard(values: Array) -> Array:
    first = values[:, 0]
    middle, best = np.median(first), first.min()
    first = np.minimum(first, middle + 2 * (middle - best))
    standard: Array = (values[:, 2] - first.mean()) / first.std()
    return standard


def test_a_rung_is_modelled_once_three_have_come_there() -> None:
    coordinates, values = rungs(90)
    tops = []
    for come in (0, 2, 3):
        fewer = values.copy()
        fewer[np.flatnonzero(~np.isnan(values[:, 1]))[come:], 1:] = np.nan
        fewer[:, 2] = np.nan
        model = RungModel(3, 3)
        model.fit(coordinates, fewer, NOBODY)
        tops.append(model.top)
    assert tops == [0, 0, 1]


def test_configs_that_are_pending_are_less_unsure_and_no_better() -> None:
    coordinates, values = rungs(30)
    new = np.random.default_rng(5).random((4, 3))
    alone, beside = RungModel(3, 3), RungModel(3, 3)
    alone.fit(coordinates, values, NOBODY)
    beside.fit(coordinates, values, new)
    before, after = alone.predict(new), beside.predict(new)
    assert (after.variance < before.variance).all()
    assert after.mean == pytest.approx(before.mean, abs=0.05)


def test_how_bad_a_bad_value_is_tells_nothing() -> None:
    coordinates, values = rungs(60)
    worst = np.argmax(values[:, 0])
    predicted = []
    for excess in (2.0, 20.0):
        model = RungModel(3, 3)
        spoilt = values.copy()
        spoilt[worst, 0] += excess
        model.fit(coordinates, spoilt, NOBODY)
        predicted.append(model.predict(coordinates).mean)
    assert np.allclose(predicted[0], predicted[1])


def taught(slope: float, num_own: int) -> tuple[float, float]:
    """Return how a model with a prior, and one without, rank 50 configs: Spearman's correlations.

    The prior mean is the true value, times `slope`. num_own: configs with values.
    """
    inputs, values = data(50 + num_own)
    known, new = inputs[:num_own], inputs[num_own:]
    truth = {row.tobytes(): value for row, value in zip(inputs, values)}

    def prior(wanted: Array) -> Array:
        return slope * np.array([[truth[row.tobytes()]] for row in wanted])

    found = []
    for given in (prior, None):
        model = RungModel(inputs.shape[1], 1)
        model.fit(known, values[:num_own, None], known[:0], given)
        found.append(float(spearmanr(model.predict(new).mean, values[num_own:]).statistic))
    return found[0], found[1]


def test_a_prior_mean_ranks_configs_before_a_study_knows_its_own() -> None:
    with_prior, without = taught(1.0, 3)
    assert with_prior > 0.9 > without + 0.2


def test_a_prior_mean_that_misleads_yields_to_the_studys_own_values() -> None:
    with_prior, without = taught(-1.0, 12)
    assert with_prior > without - 0.05
    before, _ = taught(-1.0, 2)
    assert before < -0.9 and with_prior > 0.9
