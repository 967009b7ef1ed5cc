"""The training of one config, in plain PyTorch: an epoch at a time, stoppable and resumable."""

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from search_spaces.declaration.training_protocol import TrainingProtocol
from trainables.architectures import build_network
from trainables.augmentation import Augmentation
from trainables.galaxies.galaxy_file import Galaxies
from trainables.galaxies.split import Split
from trainables.learning_rate_schedule import learning_rate_factor
from trainables.loss import ConstrainedLoss
from trainables.metrics import evaluate
from trainables.network import IMAGE_SIDE, GalaxyNetwork

_STEPS_BETWEEN_CHECKS = 25  # a diverged loss is seen within so many steps
_EVALUATION_BATCH = 512


class Diverged(RuntimeError):
    """A loss or metric was not finite; the message says which and when."""


def training_device(wants_gpu: bool = True) -> torch.device:
    """This process's GPU; the CPU where none is wanted or there is none."""
    return torch.device("cuda" if wants_gpu and torch.cuda.is_available() else "cpu")


def to_images(pixels: NDArray[np.uint8], device: torch.device) -> Tensor:
    """Map pixels [B, S, S, 3] uint8 to images [B, 3, 64, 64] float32 in 0..1 on the device.

    The channels stay last in memory, as convolutions on CPUs and new GPUs want them.
    """
    images = torch.from_numpy(pixels).to(device).permute(0, 3, 1, 2).float().div_(255)
    if images.shape[-1] != IMAGE_SIDE:
        images = F.interpolate(
            images, size=(IMAGE_SIDE, IMAGE_SIDE), mode="bilinear", antialias=True
        )
    return images


@torch.no_grad()
def predict(
    network: GalaxyNetwork,
    pixels: NDArray[np.uint8],
    device: torch.device,
    rows: NDArray[np.integer] | None = None,
) -> NDArray[np.float32]:
    """Vote fractions [N, 37] for pixels [M, S, S, 3], or for some `rows` of them.

    Mapped pixels are read a batch at a time. The network is left in evaluation mode.
    """
    network.eval()
    chosen = np.arange(len(pixels)) if rows is None else rows
    batches = [
        network(to_images(pixels[chosen[i : i + _EVALUATION_BATCH]], device)).cpu().numpy()
        for i in range(0, len(chosen), _EVALUATION_BATCH)
    ]
    return np.concatenate(batches).astype(np.float32)


def _optimiser(config: TrainingProtocol, network: GalaxyNetwork) -> torch.optim.Optimizer:
    if config.optimizer == "adamw":
        return torch.optim.AdamW(
            network.parameters(),
            lr=config.learning_rate,
            eps=config.adam_epsilon,
            weight_decay=config.weight_decay,
        )
    return torch.optim.Adam(network.parameters(), lr=config.learning_rate, eps=config.adam_epsilon)


class TrainingRun:
    """One config being trained: `run_epoch()` until `finished` says why it is over.

    Same config, data and seed give the same numbers on a CPU; each epoch's randomness follows
    from the seed and the epoch's number, so a resumed run continues as if never stopped.
    """

    def __init__(
        self, config: TrainingProtocol, galaxies: Galaxies, split: Split, device: torch.device
    ) -> None:
        """Build network, optimiser and loss on `device`; nothing is trained yet."""
        self.config, self.galaxies, self.split, self.device = config, galaxies, split, device
        self._seed_chance(epoch=0)
        self.network = build_network(config).to(device)
        self.network.to(memory_format=torch.channels_last)
        self.optimiser = _optimiser(config, self.network)
        self.loss = ConstrainedLoss(config.coefficients(), config.tree).to(device)
        self.augmentation = Augmentation.of(config)
        self.steps_per_epoch = -(-len(split.training) // config.batch_size)
        self.history: list[dict[str, float]] = []
        self.best_weights: dict[str, Tensor] = {}

    @property
    def epoch(self) -> int:
        """Number of epochs trained."""
        return len(self.history)

    @property
    def best_epoch(self) -> int:
        """The epoch, from 1, whose monitored metric is lowest; 0 before the first."""
        monitored = [report[self.config.early_stopping_metric] for report in self.history]
        return int(np.argmin(monitored)) + 1 if monitored else 0

    @property
    def finished(self) -> str | None:
        """Why training is over, or None while it goes on."""
        patience = self.config.early_stopping_patience
        if self.epoch >= self.config.epochs:
            return "all epochs trained"
        if patience and self.epoch - self.best_epoch >= patience:
            return f"no better epoch in {patience}"
        return None

    def run_epoch(self) -> dict[str, float]:
        """Train one epoch and validate; returns the epoch's report, all finite floats.

        Raises Diverged as soon as the loss, or at the end a metric, is not finite.
        """
        started = time.perf_counter()
        epoch = self.epoch + 1
        report = {"epoch": epoch, **self._train(epoch), **self._validate()}
        report["learning_rate"] = self.optimiser.param_groups[0]["lr"]
        report["seconds"] = time.perf_counter() - started
        for name, value in report.items():
            if not np.isfinite(value):
                raise Diverged(f"{name} is {value} at epoch {epoch}")
        self.history.append(report)
        if self.best_epoch == epoch:
            weights = self.network.state_dict()
            self.best_weights = {k: v.detach().cpu().clone() for k, v in weights.items()}
        return report

    def restore_best_weights(self) -> None:
        """Give the network the weights of its best epoch."""
        self.network.load_state_dict(self.best_weights)

    def state(self) -> dict[str, Any]:
        """All that `load_state` needs, in plain values and tensors."""
        return {
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "history": self.history,
            "best_weights": self.best_weights,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Continue from what `state` returned for the same config and data."""
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.history = list(state["history"])
        self.best_weights = dict(state["best_weights"])

    def _seed_chance(self, epoch: int) -> torch.Generator:
        """Seed dropout and return the generator of order and augmentation for one epoch."""
        words = np.random.SeedSequence([self.config.seed, epoch]).generate_state(2)
        torch.manual_seed(int(words[0]))
        return torch.Generator().manual_seed(int(words[1]))

    def _batches(self, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
        order = torch.randperm(len(self.split.training), generator=generator).numpy()
        for start in range(0, len(order), self.config.batch_size):
            rows = np.sort(self.split.training[order[start : start + self.config.batch_size]])
            images = to_images(self.galaxies.images[rows], self.device)
            votes = torch.from_numpy(self.galaxies.target[rows]).to(self.device)
            moved = self.augmentation(images, generator)
            yield moved.contiguous(memory_format=torch.channels_last), votes

    def _train(self, epoch: int) -> dict[str, float]:
        generator = self._seed_chance(epoch)
        self.network.train()
        loss_sum = torch.zeros((), device=self.device)
        squared_sum = torch.zeros((), device=self.device)
        for step, (images, votes) in enumerate(self._batches(generator)):
            self._set_learning_rate(self.epoch * self.steps_per_epoch + step)
            predicted = self.network(images)
            loss = self.loss(predicted, votes) + self.network.regularisation()
            self.optimiser.zero_grad(set_to_none=True)
            loss.backward()
            self.optimiser.step()
            loss_sum += loss.detach() * len(votes)
            squared_sum += (predicted.detach() - votes).square().sum()
            if step % _STEPS_BETWEEN_CHECKS == 0 and not torch.isfinite(loss_sum):
                raise Diverged(f"train_loss is {float(loss.detach())} in epoch {epoch}")
        num_galaxies = len(self.split.training)
        return {
            "train_loss": float(loss_sum) / num_galaxies,
            "train_rmse": float((squared_sum / (num_galaxies * votes.shape[1])).sqrt()),
        }

    def _set_learning_rate(self, step: int) -> None:
        factor = learning_rate_factor(self.config, step, self.steps_per_epoch)
        for group in self.optimiser.param_groups:
            group["lr"] = self.config.learning_rate * factor

    def _validate(self) -> dict[str, float]:
        rows = self.split.validation
        voted = self.galaxies.target[rows]
        predicted = predict(self.network, self.galaxies.images, self.device, rows)
        with torch.no_grad():
            penalty = self.loss(
                torch.from_numpy(predicted).to(self.device),
                torch.from_numpy(voted).to(self.device),
            )
            loss = float(penalty + self.network.regularisation())
        report = {f"val_{name}": value for name, value in evaluate(predicted, voted).items()}
        return {"val_loss": loss, **report}
