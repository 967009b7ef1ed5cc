"""Measure what was tried and left out of the search space, on real galaxies.

    python benchmarks/left_out.py galaxies.npz [--epochs 16] [--labels 2000] [--seeds 0,1,2]
        [--out left_out]
    python benchmarks/left_out.py galaxies.npz --quick --out /tmp/left_out

The base is the residual CNN with squared error. The variants are:

- `likelihood`: the loss is minus the logarithm of the multinomial likelihood of the votes, summed
  over the questions. A question counts by the share of the volunteers who were asked, and its
  answers by their shares of the question. The constant number of volunteers is left out.
- `fractions' likelihood`: the sum over the answers of vote times logarithm of the fraction, an
  earlier form. A fraction is a product along the tree, so the logarithm counts the shares of a
  question once more for every answer below the question.
- `symmetric`: the features are averaged over the eight symmetries of the square before the last
  layer, so the network's prediction does not change if an image is turned by 90 degrees or
  mirrored. A step takes eight times as long, so the network is trained for an eighth of the
  epochs, at equal device time.

A row is as in benchmarks/network_choices.py, Each
finished training is kept in the folder OUT; called again, the benchmark trains what is missing.
Test rows are not used.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.kept_trainings import Training, machine_line, numbers, run_or_tell
from benchmarks.network_choices import errors, row
from search_spaces.declaration import config_from_values
from trainables.decision_tree import QUESTIONS, SLICES, parent_columns
from trainables.galaxies import open_galaxies, split_galaxies
from trainables.layers import GalaxyNetwork
from trainables.training import TrainingRun
from trainables.training.step import TrainingStep
from trainables.training.views import views

_LEAST = 1e-6  # fraction; the logarithm of 0 is not finite
_VIEWS = 8
_LOSSES = ("likelihood", "fractions' likelihood")
VARIANTS = ("base", *_LOSSES, "symmetric")


class Likelihood(nn.Module):
    """Minus the mean log likelihood of the votes for fractions [B, 37], divided by 11 questions.

    by_share: True to count each question by its answers' shares, False by the fractions.
    """

    def __init__(self, *, by_share: bool) -> None:
        """Choose the form."""
        super().__init__()
        self.by_share = by_share

    def forward(self, predicted: Tensor, voted: Tensor) -> Tensor:
        """Return the scalar loss of predictions [B, 37] against vote fractions [B, 37]."""
        if not self.by_share:
            each = voted * predicted.clamp_min(_LEAST).log()
            return -each.sum(dim=1).mean() / len(QUESTIONS)
        total = predicted.new_zeros(len(predicted))
        for question, answers in zip(QUESTIONS, SLICES):
            asked = list(parent_columns(question))
            parent = predicted[:, asked].sum(dim=1, keepdim=True) if asked else 1.0
            shares = predicted[:, answers] / (parent + _LEAST)
            total = total + (voted[:, answers] * shares.clamp_min(_LEAST).log()).sum(dim=1)
        return -total.mean() / len(QUESTIONS)


class _Symmetric:
    """A forward hook's partner: the last layer reads the mean of the features of eight views."""

    def __init__(self, network: GalaxyNetwork) -> None:
        """Wrap the forward method of a network with a VoteLayer."""
        self._inner = network.forward
        _, layer = network.vote_layer()
        layer.register_forward_pre_hook(self._averaged)
        network.forward = self.forward  # type: ignore[method-assign]

    def forward(self, images: Tensor) -> Tensor:
        """Map images [B, 3, S, S] to fractions [B, 37] by the features of eight views."""
        found: Tensor = self._inner(torch.cat(list(views(images, _VIEWS))))
        return found

    def _averaged(self, layer: nn.Module, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Return the mean [B, F] over the views of the features [8 B, F]."""
        features = given[0]
        return (features.unflatten(0, (_VIEWS, -1)).mean(dim=0),)


@dataclass(frozen=True)
class LeftOut(Training):
    """A training with a variant of VARIANTS."""

    variant: str = "base"

    def run(self) -> TrainingRun:
        """Return the training before its first epoch."""
        run = super().run()
        if self.variant in _LOSSES:
            loss = Likelihood(by_share=self.variant == "likelihood")
            assert isinstance(run.step, TrainingStep), "the variants are measured on a CPU"
            run.step = TrainingStep(
                run.network,
                loss,  # type: ignore[arg-type]  # only called
                run.optimiser,
                micro_batch=run.step.micro_batch,
                precision=run.step.precision,
            )
        if self.variant == "symmetric":
            _Symmetric(run.network)
        return run


def trainings(arguments: argparse.Namespace, variant: str) -> list[LeftOut]:
    """Return the trainings of a variant, one for each seed."""
    epochs = arguments.epochs
    if variant == "symmetric":
        epochs = max(1, epochs // _VIEWS)
    values = {"architecture": "residual_cnn", "epochs": epochs, **arguments.values}
    return [
        LeftOut(
            f"{variant}, {epochs} epochs, {arguments.labels} labels, seed {seed}",
            config_from_values({**values, "seed": seed}),
            arguments.data,
            arguments.labels,
            variant=variant,
        )
        for seed in arguments.seeds
    ]


def measure(arguments: argparse.Namespace) -> None:
    """Train what is missing, and print the table."""
    print(machine_line(), flush=True)
    galaxies = open_galaxies(arguments.data)
    voted = galaxies.target[split_galaxies(galaxies, "hash").validation]
    print(f"residual_cnn, {arguments.epochs} epochs of {arguments.labels} galaxies")
    print(
        "| variant | RMSE | s.d. | change | 95 % interval | 8 views |\n|---|---|---|---|---|---|"
    )
    found: dict[str, NDArray[np.float64]] = {}
    for variant in VARIANTS:
        kept = [errors(t, arguments.out, voted) for t in trainings(arguments, variant)]
        found[variant] = np.stack(kept)
        print(row(variant, found[variant], found["base"]), flush=True)


def main() -> None:
    """Read the arguments; exit code 2 with one line for what is wrong with them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--labels", type=int, default=2000, help="training galaxies")
    parser.add_argument("--seeds", type=numbers, default=(0, 1, 2))
    parser.add_argument("--out", type=Path, default=Path("left_out"))
    parser.add_argument("--quick", action="store_true", help="under a minute: tiny trainings")
    arguments = parser.parse_args()
    arguments.values = {}
    if arguments.quick:
        arguments.epochs, arguments.labels, arguments.seeds = 1, 64, (0,)
        arguments.values = {"width": 0.1, "depth": 1, "batch_size": 8}
    run_or_tell(measure, arguments)


if __name__ == "__main__":
    main()
