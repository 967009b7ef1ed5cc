"""A Gaussian process with a Matern 5/2 kernel (Rasmussen and Williams 2006, chapters 2, 4 and 5).

Every input has a length of its own. Lengths, scale and noise are those of the highest posterior
density. Their priors decide where there are few data, as at the beginning of a search.
"""

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
# Mean and standard deviation of the normal priors of the logarithms of lengths, scale and noise,
# for inputs in 0..1 and values of variance 1.
_LOG_LENGTH, _LOG_SCALE, _LOG_NOISE = (0.5, 1.0), (0.0, 1.0), (math.log(0.3), 1.0)
_LENGTH_BOUNDS, _SCALE_BOUNDS, _NOISE_BOUNDS = (-3, 5), (-6, 3), (-7, 3)
_LEVEL_VARIANCE = 4.0  # prior variance of a value that is the same everywhere
_SLOPE_VARIANCE = 1.0  # prior variance of the slope over the regressor
_JITTER = 1e-8  # is added to variances, so that matrices stay positive definite
_MOST_STEPS = 25  # steps of the optimiser, which starts where the last fit ended


class GaussianProcess:
    """A Gaussian process of C inputs in 0..1.

    The function may also depend linearly on one more number, the regressor. Values should have a
    mean near 0 and a variance near 1. `predict` and `slope` need a call of `fit` before.
    """

    def __init__(self, num_inputs: int) -> None:
        """Start with the means of the priors; num_inputs: the number C of inputs."""
        priors = [_LOG_LENGTH] * num_inputs + [_LOG_SCALE, _LOG_NOISE]
        self._mean, self._deviation = np.array(priors).T
        self._logs = self._mean.copy()  # lengths, then scale and noise
        self._bounds = [_LENGTH_BOUNDS] * num_inputs + [_SCALE_BOUNDS, _NOISE_BOUNDS]

    @property
    def noise(self) -> float:
        """The variance of a value about the function, as last fitted; before, the prior's mean."""
        return float(np.exp(self._logs[-1]))

    @property
    def slope(self) -> float:
        """The slope of the mean over the regressor; 0 if `fit` was given no regressor."""
        if self._regressor is None:
            return 0.0
        return float(_SLOPE_VARIANCE * (self._regressor @ self._weights))

    def fit(
        self, inputs: Array, values: Array, regressor: Array | None = None, *, learn: bool
    ) -> None:
        """Fit the function to values [N] at inputs [N, C], N at least 1.

        regressor: a number [N] for each value, on which the function depends linearly; None for
        none. learn: True to fit lengths, scale and noise anew, False to keep them. The fit
        replaces the last fit. `inputs` and `regressor` are kept and not copied, so they must not
        be changed. numpy.linalg.LinAlgError is raised if the covariance is not positive definite.
        """
        from scipy.linalg import cho_solve  # .2 s, which no search should wait for at its start

        self._inputs, self._regressor = inputs, regressor
        linear = np.full((len(values), len(values)), _LEVEL_VARIANCE)
        if regressor is not None:
            linear += _SLOPE_VARIANCE * np.outer(regressor, regressor)
        if learn:
            self._learn(values, linear)
        covariance = self._kernel(inputs) + linear
        covariance[np.diag_indices_from(covariance)] += self.noise + _JITTER
        self._factor = np.linalg.cholesky(covariance)
        self._weights = cho_solve((self._factor, True), values)

    def predict(self, inputs: Array, regressor: Array | None = None) -> tuple[Array, Array]:
        """Return mean [M] and variance [M] of the function at inputs [M, C], without the noise.

        regressor: a number [M] for each config; needed if `fit` was given a regressor, otherwise
        not used. A variance is at least 1e-8.
        """
        from scipy.linalg import solve_triangular

        covariance = self._kernel(inputs) + _LEVEL_VARIANCE
        prior = np.full(len(inputs), np.exp(self._logs[-2]) + _LEVEL_VARIANCE)
        if self._regressor is not None and regressor is not None:
            covariance += _SLOPE_VARIANCE * np.outer(regressor, self._regressor)
            prior += _SLOPE_VARIANCE * regressor**2
        known = solve_triangular(self._factor, covariance.T, lower=True)
        return covariance @ self._weights, np.maximum(prior - (known**2).sum(axis=0), _JITTER)

    def _kernel(self, others: Array) -> Array:
        """Return the covariances [M, N] of inputs [M, C] with the N inputs of the fit."""
        lengths = np.exp(self._logs[:-2])
        there, here = others / lengths, self._inputs / lengths
        squares = (there**2).sum(1)[:, None] + (here**2).sum(1) - 2 * there @ here.T
        far = np.sqrt(5 * np.maximum(squares, 0))
        kernel: Array = np.exp(self._logs[-2]) * (1 + far + far**2 / 3) * np.exp(-far)
        return kernel

    def _learn(self, values: Array, linear: Array) -> None:
        """Set lengths, scale and noise to those of the highest posterior density.

        values: [N]. linear: the covariances [N, N] of the level and of the slope.
        numpy.linalg.LinAlgError is raised if a covariance is not positive definite.
        """
        from scipy.optimize import minimize

        gaps = self._inputs.T[:, :, None] - self._inputs.T[:, None, :]
        found = minimize(
            _loss_and_gradient,
            self._logs,
            args=(gaps**2, values, linear, self._mean, self._deviation),
            jac=True,
            method="L-BFGS-B",
            bounds=self._bounds,
            options={"maxiter": _MOST_STEPS},
        )
        self._logs = found.x


def _loss_and_gradient(
    logs: Array, squares: Array, values: Array, linear: Array, mean: Array, deviation: Array
) -> tuple[float, Array]:
    """Return minus the logarithm of the posterior density, up to a constant, and its gradient.

    logs: logarithms [C + 2] of lengths, scale and noise. squares: squared gaps [C, N, N] along
    each input. values: [N]. linear: covariances [N, N] of level and slope. mean, deviation: means
    and standard deviations of the priors [C + 2]. The gradient [C + 2] is the derivative by each
    of `logs`.
    """
    from scipy.linalg import lapack

    scale, noise = np.exp(logs[-2:])
    shrunk = np.exp(-2 * logs[:-2])
    far = np.sqrt(5 * np.tensordot(shrunk, squares, axes=1))
    decay = scale * np.exp(-far)
    kernel = decay * (1 + far + far**2 / 3)
    covariance = kernel + linear
    covariance[np.diag_indices_from(covariance)] += noise + _JITTER
    factor = np.linalg.cholesky(covariance)
    inverse = lapack.dpotri(factor, lower=True)[0]  # LAPACK fills the lower triangle alone
    inverse = np.tril(inverse) + np.tril(inverse, -1).T
    weights = inverse @ values
    off = (logs - mean) / deviation
    loss = values @ weights / 2 + np.log(np.diag(factor)).sum() + (off**2).sum() / 2
    by_covariance = (inverse - np.outer(weights, weights)) / 2
    by_squares = by_covariance * decay * (1 + far) * (5 / 3)
    by_lengths = shrunk * np.tensordot(squares, by_squares, axes=([1, 2], [0, 1]))
    by_scale, by_noise = (by_covariance * kernel).sum(), noise * np.trace(by_covariance)
    return float(loss), np.array([*by_lengths, by_scale, by_noise]) + off / deviation
