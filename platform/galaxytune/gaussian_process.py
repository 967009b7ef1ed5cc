"""A Gaussian process with a Matern 5/2 kernel (Rasmussen and Williams 2006, chapters 2, 4 and 5).

Every coordinate has its own length. Lengths, scale and noise are those of highest posterior
density; the priors hold where the data say little, as at a search's begin.
"""

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
# Normal priors of logarithms, for coordinates in 0..1 and values of unit variance.
_LOG_LENGTH, _LOG_SCALE, _LOG_NOISE = (0.5, 1.0), (0.0, 1.0), (math.log(0.3), 1.0)
_LENGTH_BOUNDS, _SCALE_BOUNDS, _NOISE_BOUNDS = (-3, 5), (-6, 3), (-7, 3)
_LEVEL_VARIANCE = 4.0  # prior variance of a value that is the same everywhere
_SLOPE_VARIANCE = 1.0  # and of the slope over the regressor
_JITTER = 1e-8
_MOST_STEPS = 25  # of the optimiser, which goes on from where it last was
_ROOT_5 = math.sqrt(5)


class GaussianProcess:
    """A function of C coordinates in 0..1, and maybe of one number more, linearly: a regressor."""

    def __init__(self, num_coordinates: int) -> None:
        """Begin with the priors' means."""
        priors = [_LOG_LENGTH] * num_coordinates + [_LOG_SCALE, _LOG_NOISE]
        self._mean, self._deviation = np.array(priors).T
        self._logs = self._mean.copy()  # lengths, then scale and noise
        self._bounds = [_LENGTH_BOUNDS] * num_coordinates + [_SCALE_BOUNDS, _NOISE_BOUNDS]

    @property
    def noise(self) -> float:
        """The variance of a value about the function."""
        return float(np.exp(self._logs[-1]))

    @property
    def slope(self) -> float:
        """Of the mean over the regressor; 0 if there is none."""
        if self._regressor is None:
            return 0.0
        return float(_SLOPE_VARIANCE * (self._regressor @ self._weights))

    def fit(
        self, coordinates: Array, values: Array, regressor: Array | None = None, *, learn: bool
    ) -> None:
        """Take in N values at coordinates [N, C], with the regressor [N] if there is to be one.

        learn: fit lengths, scale and noise anew; else only the values are taken in.
        """
        from scipy.linalg import cho_solve  # .2 s that no search should wait for at its start

        self._coordinates, self._regressor = coordinates, regressor
        linear = np.full((len(values), len(values)), _LEVEL_VARIANCE)
        if regressor is not None:
            linear += _SLOPE_VARIANCE * np.outer(regressor, regressor)
        if learn:
            self._learn(values, linear)
        covariance = self._kernel(coordinates) + linear
        covariance[np.diag_indices_from(covariance)] += self.noise + _JITTER
        self._factor = np.linalg.cholesky(covariance)
        self._weights = cho_solve((self._factor, True), values)

    def predict(self, coordinates: Array, regressor: Array | None = None) -> tuple[Array, Array]:
        """The function's mean and variance [M] at coordinates [M, C], noise not included."""
        from scipy.linalg import solve_triangular

        covariance = self._kernel(coordinates) + _LEVEL_VARIANCE
        prior = np.full(len(coordinates), np.exp(self._logs[-2]) + _LEVEL_VARIANCE)
        if self._regressor is not None and regressor is not None:
            covariance += _SLOPE_VARIANCE * np.outer(regressor, self._regressor)
            prior += _SLOPE_VARIANCE * regressor**2
        known = solve_triangular(self._factor, covariance.T, lower=True)
        return covariance @ self._weights, np.maximum(prior - (known**2).sum(axis=0), _JITTER)

    def _kernel(self, others: Array) -> Array:
        """Covariances [M, N] of others [M, C] with what is known."""
        lengths = np.exp(self._logs[:-2])
        there, here = others / lengths, self._coordinates / lengths
        squares = (there**2).sum(1)[:, None] + (here**2).sum(1) - 2 * there @ here.T
        far = np.sqrt(5 * np.maximum(squares, 0))
        kernel: Array = np.exp(self._logs[-2]) * (1 + far + far**2 / 3) * np.exp(-far)
        return kernel

    def _learn(self, values: Array, linear: Array) -> None:
        from scipy.optimize import minimize

        gaps = self._coordinates.T[:, :, None] - self._coordinates.T[:, None, :]
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
    """The negative logarithm of the posterior density, up to a constant, and its gradient.

    squares: [C, N, N], of the gaps along each coordinate.
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
    inverse = lapack.dpotri(factor, lower=True)[0]  # of its lower triangle alone
    inverse = np.tril(inverse) + np.tril(inverse, -1).T
    weights = inverse @ values
    off = (logs - mean) / deviation
    loss = values @ weights / 2 + np.log(np.diag(factor)).sum() + (off**2).sum() / 2
    by_covariance = (inverse - np.outer(weights, weights)) / 2
    by_squares = by_covariance * decay * (1 + far) * (5 / 3)
    by_lengths = shrunk * np.tensordot(squares, by_squares, axes=([1, 2], [0, 1]))
    by_scale, by_noise = (by_covariance * kernel).sum(), noise * np.trace(by_covariance)
    return float(loss), np.array([*by_lengths, by_scale, by_noise]) + off / deviation
