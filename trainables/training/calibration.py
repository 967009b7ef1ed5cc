"""The calibration of a network's last layer on validation galaxies, which are unbiased.

A network that was trained on one kind of galaxies, such as clear ones, predicts other galaxies
with a bias. Each output of the last layer is therefore scaled and shifted before the head (vector
scaling, Guo et al. 2017, Platt 1999), such that the squared error of the validation galaxies is
lowest. A scale and a shift are part of the layer's weights afterwards, so that the network stays
what it was: 37 fractions that follow the tree if the head does.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from search_spaces.declaration import TrainingProtocol
from trainables.galaxies import Galaxies
from trainables.layers import HeadName, vote_fractions

# Weight of the squared scales and shifts beside the squared errors. With a variance of 0.01 of an
# error the weight stands for a standard deviation of 0.3 of a shift in logits.
_PRIOR = 0.1
_STEPS = 10  # of Gauss and Newton, at most
_ENOUGH = 1e-7  # relative fall of the loss after which no further step is taken
_NUM_FOLDS = 5


def is_calibrated(config: TrainingProtocol, galaxies: Galaxies) -> bool:
    """Return whether a training calibrates its last layer.

    The result is False unless the config calibrates and the file marks some galaxies, but not all,
    as unbiased: only then can the validation galaxies differ from the training galaxies.
    """
    return config.calibration == "votes" and galaxies.are_partly_unbiased


@dataclass(frozen=True)
class Calibration:
    """A scale and a shift for each output of a last layer.

    scale, shift: [37] float64 each; an output z becomes scale x z + shift.
    predicted: the vote fractions [V, 37] float32 of the V galaxies of the fit. The scale and the
        shift of each galaxy's prediction were fitted to the other four fifths of the galaxies, so
        that the predictions are not better than those of new galaxies.
    """

    scale: Tensor
    shift: Tensor
    predicted: NDArray[np.float32]

    def of_layer(self, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """Return the weight [37, F] and the bias [37] of the calibrated layer, as new tensors.

        weight, bias: those of the layer, whose type and device the results have.
        """
        scale, shift = self.scale.to(weight), self.shift.to(bias)
        return weight * scale[:, None], bias * scale + shift


def calibration(outputs: Tensor, votes: Tensor, head: HeadName) -> Calibration:
    """Return the calibration with the lowest squared error for V galaxies, V at least 1.

    outputs: the last layer's outputs [V, 37] before the head. votes: vote fractions [V, 37] in
    0..1. head: the head of the layer. The scales and shifts are kept near 1 and 0 by a penalty, so
    that few galaxies change little.
    """
    z, y = outputs.detach().double().cpu(), votes.detach().double().cpu()
    theta = _fitted(z, y, head)
    found, jacobian = _linearised(z, theta, head)
    residual = found - y
    folds = [torch.arange(len(z)) % _NUM_FOLDS == fold for fold in range(_NUM_FOLDS)]
    curvatures = [_curvature(jacobian[fold]) for fold in folds]
    whole = sum(curvatures) + _PRIOR * torch.eye(len(theta), dtype=theta.dtype)
    predicted = found.clone()
    for fold, curvature in zip(folds, curvatures):
        # One step from the fit to all galaxies to the fit without those of the fold.
        gradient = _gradient(jacobian[fold], residual[fold])
        without = theta + torch.linalg.solve(whole - curvature, gradient)
        predicted[fold] = _predicted(z[fold], without, head)
    scale, shift = 1 + theta[: z.shape[1]], theta[z.shape[1] :]
    return Calibration(scale, shift, predicted.float().numpy())


def _fitted(z: Tensor, y: Tensor, head: HeadName) -> Tensor:
    """Return the parameters [74] with the lowest loss: 37 scales less 1, then 37 shifts.

    The steps are those of Gauss and Newton; a step that raises the loss is halved.
    """
    theta = torch.zeros(2 * z.shape[1], dtype=z.dtype)
    loss = _loss(z, y, theta, head)
    prior = _PRIOR * torch.eye(len(theta), dtype=theta.dtype)
    for _ in range(_STEPS):
        found, jacobian = _linearised(z, theta, head)
        gradient = _gradient(jacobian, found - y) + _PRIOR * theta
        step = torch.linalg.solve(_curvature(jacobian) + prior, -gradient)
        for size in (1.0, 0.5, 0.25, 0.125):
            new = _loss(z, y, theta + size * step, head)
            if new <= loss:
                break
        else:
            break  # no step lowers the loss
        theta, fall, loss = theta + size * step, loss - new, new
        if fall <= _ENOUGH * loss:
            break
    return theta


def _predicted(z: Tensor, theta: Tensor, head: HeadName) -> Tensor:
    """Map outputs [V, 37] to the vote fractions [V, 37] with the parameters [74]."""
    scale, shift = theta.chunk(2)
    return vote_fractions(z * (1 + scale) + shift, head)


def _loss(z: Tensor, y: Tensor, theta: Tensor, head: HeadName) -> float:
    """Return the sum of the squared errors and of the penalty."""
    error = (_predicted(z, theta, head) - y).square().sum()
    return float(error + _PRIOR * theta.square().sum())


def _linearised(z: Tensor, theta: Tensor, head: HeadName) -> tuple[Tensor, Tensor]:
    """Return the fractions [V, 37] with the parameters, and their derivatives [V, 37, 74]."""
    scale, shift = theta.chunk(2)
    moved = (z * (1 + scale) + shift).requires_grad_()
    found = vote_fractions(moved, head)
    rows = [
        torch.autograd.grad(found[:, answer].sum(), moved, retain_graph=True)[0]
        for answer in range(found.shape[1])
    ]
    by_output = torch.stack(rows, dim=1)  # [V, answer, output]
    return found.detach(), torch.cat([by_output * z[:, None, :], by_output], dim=2)


def _curvature(jacobian: Tensor) -> Tensor:
    """Return the sum over galaxies and answers of the products of derivatives, [74, 74]."""
    flat = jacobian.reshape(-1, jacobian.shape[-1])
    return flat.T @ flat


def _gradient(jacobian: Tensor, residual: Tensor) -> Tensor:
    """Return half of the gradient [74] of the squared errors with residuals [V, 37]."""
    return jacobian.reshape(-1, jacobian.shape[-1]).T @ residual.reshape(-1)
