"""The training of one config, in plain PyTorch: an epoch at a time, stoppable and resumable."""

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from search_spaces.declaration.training_protocol import TrainingProtocol
from trainables.architectures import build_network
from trainables.augmentation import Augmentation
from trainables.frozen_features import cached_features
from trainables.galaxies.galaxy_file import Galaxies
from trainables.galaxies.split import Split
from trainables.image_batches import enlarged, to_images
from trainables.learning_rate_schedule import learning_rate_factor
from trainables.loss import ConstrainedLoss
from trainables.metrics import evaluate
from trainables.network import GalaxyNetwork

_STEPS_BETWEEN_CHECKS = 25  # a diverged loss is seen within so many steps
_EVALUATION_BATCH = 512  # galaxies of 64 pixels; fewer of larger ones
_EVALUATION_PIXELS = _EVALUATION_BATCH * 64**2


class Diverged(RuntimeError):
    """A loss or metric was not finite; the message says which and when."""


def training_device(wants_gpu: bool = True) -> torch.device:
    """This process's GPU; the CPU where none is wanted or there is none."""
    return torch.device("cuda" if wants_gpu and torch.cuda.is_available() else "cpu")


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
    side = network.image_side
    chosen = np.arange(len(pixels)) if rows is None else rows
    batch = max(1, _EVALUATION_PIXELS // side**2)
    batches = [
        network(enlarged(to_images(pixels[chosen[i : i + batch]], device, side), side))
        for i in range(0, len(chosen), batch)
    ]
    return torch.cat(batches).float().cpu().numpy()


def _optimiser(config: TrainingProtocol, network: GalaxyNetwork) -> torch.optim.Optimizer:
    groups = [
        {"params": list(group.parameters), "factor": group.factor}
        for group in network.parameter_groups()
    ]
    if config.optimizer == "adamw":
        return torch.optim.AdamW(
            groups,
            lr=config.learning_rate,
            eps=config.adam_epsilon,
            weight_decay=config.weight_decay,
        )
    return torch.optim.Adam(groups, lr=config.learning_rate, eps=config.adam_epsilon)


def initial_network(config: TrainingProtocol) -> GalaxyNetwork:
    """The network that a run of `config` begins with; the config's seed decides its weights."""
    _seed_chance(config, epoch=0)
    return build_network(config)


def _seed_chance(config: TrainingProtocol, epoch: int) -> torch.Generator:
    """Seed dropout and return the generator of order and augmentation for one epoch."""
    words = np.random.SeedSequence([config.seed, epoch]).generate_state(2)
    torch.manual_seed(int(words[0]))
    return torch.Generator().manual_seed(int(words[1]))


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
        self.network = initial_network(config).to(device)
        self.network.to(memory_format=torch.channels_last)
        self._frozen_names = self.network.frozen_names()
        self.optimiser = _optimiser(config, self.network)
        self.loss = ConstrainedLoss(config.coefficients(), config.tree).to(device)
        self.augmentation = Augmentation.of(config)
        self._frozen_features = {
            name: cached_features(config, self.network, galaxies, rows, device)
            for name, rows in self._parts_with_fixed_features().items()
        }
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
            self.best_weights = {k: v.cpu().clone() for k, v in self._moving_state().items()}
        return report

    def restore_best_weights(self) -> None:
        """Give the network the weights of its best epoch."""
        self._load_moving(self.best_weights)

    def frozen_weights(self) -> dict[str, Tensor]:
        """What training does not change, which `best_weights` and `state` leave out."""
        state = self.network.state_dict()
        return {name: state[name].detach().cpu() for name in self._frozen_names}

    def state(self) -> dict[str, Any]:
        """All that `load_state` needs, in plain values and tensors."""
        return {
            "network": self._moving_state(),
            "optimiser": self.optimiser.state_dict(),
            "history": self.history,
            "best_weights": self.best_weights,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Continue from what `state` returned for the same config and data."""
        self._load_moving(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.history = list(state["history"])
        self.best_weights = dict(state["best_weights"])

    def _moving_state(self) -> dict[str, Tensor]:
        state = self.network.state_dict()
        return {k: v.detach() for k, v in state.items() if k not in self._frozen_names}

    def _load_moving(self, weights: dict[str, Tensor]) -> None:
        self.network.load_state_dict({**self.frozen_weights(), **weights})

    def _parts_with_fixed_features(self) -> dict[str, NDArray[np.int64]]:
        """The parts whose galaxies give the backbone the same input in every epoch."""
        if not self.network.has_frozen_features:
            return {}
        parts = {"validation": self.split.validation}
        if self.augmentation.does_nothing:
            parts["training"] = self.split.training
        return parts

    def _batches(self, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
        """Predictions [b, 37] and votes [b, 37], in an order that the generator draws."""
        order = torch.randperm(len(self.split.training), generator=generator).numpy()
        fixed = self._frozen_features.get("training")
        for start in range(0, len(order), self.config.batch_size):
            places = np.sort(order[start : start + self.config.batch_size])
            rows = self.split.training[places]
            votes = torch.from_numpy(self.galaxies.target[rows]).to(self.device)
            if fixed is None:
                yield self._predict_moved(rows, generator), votes
            else:
                yield self.network.head(torch.from_numpy(fixed[places]).to(self.device)), votes

    def _predict_moved(self, rows: NDArray[np.int64], generator: torch.Generator) -> Tensor:
        side = self.network.image_side
        images = to_images(self.galaxies.images[rows], self.device, side)
        predicted: Tensor = self.network(enlarged(self.augmentation(images, generator), side))
        return predicted

    def _train(self, epoch: int) -> dict[str, float]:
        generator = _seed_chance(self.config, epoch)
        self.network.train()
        loss_sum = torch.zeros((), device=self.device)
        squared_sum = torch.zeros((), device=self.device)
        for step, (predicted, votes) in enumerate(self._batches(generator)):
            self._set_learning_rate(self.epoch * self.steps_per_epoch + step)
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
            group["lr"] = self.config.learning_rate * factor * group["factor"]

    def _validate(self) -> dict[str, float]:
        rows = self.split.validation
        voted = self.galaxies.target[rows]
        predicted = self._predict_validation()
        with torch.no_grad():
            penalty = self.loss(
                torch.from_numpy(predicted).to(self.device),
                torch.from_numpy(voted).to(self.device),
            )
            loss = float(penalty + self.network.regularisation())
        report = {f"val_{name}": value for name, value in evaluate(predicted, voted).items()}
        return {"val_loss": loss, **report}

    @torch.no_grad()
    def _predict_validation(self) -> NDArray[np.float32]:
        fixed = self._frozen_features.get("validation")
        if fixed is None:
            return predict(self.network, self.galaxies.images, self.device, self.split.validation)
        self.network.eval()
        batches = [
            self.network.head(
                torch.from_numpy(fixed[i : i + _EVALUATION_BATCH].copy()).to(self.device)
            )
            for i in range(0, len(fixed), _EVALUATION_BATCH)
        ]
        return torch.cat(batches).float().cpu().numpy()
