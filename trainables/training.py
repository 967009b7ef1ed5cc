"""The training of one config, in plain PyTorch: an epoch at a time, stoppable and resumable."""

import time
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from search_spaces.declaration.training_protocol import TrainingProtocol
from trainables.architectures import build_network
from trainables.augmentation import Augmentation
from trainables.decision_tree import NUM_ANSWERS
from trainables.device_preparation import prepare_device
from trainables.divergence import Diverged, DivergenceWatch
from trainables.early_stopping import best_epoch, why_finished
from trainables.epoch_steps import EpochSteps, Report, driven
from trainables.frozen_features import cached_features
from trainables.galaxies.galaxy_file import Galaxies
from trainables.galaxies.split import Split
from trainables.galaxy_source import galaxy_source
from trainables.graphed_step import GraphedStep
from trainables.learning_rate_schedule import learning_rate
from trainables.loss import ConstrainedLoss
from trainables.metrics import evaluate
from trainables.micro_batch import MicroBatch, within_memory
from trainables.network import GalaxyNetwork
from trainables.optimiser import build_optimiser, load_optimiser, set_learning_rate
from trainables.precision import training_precision
from trainables.prediction import predict, predict_from_features, prediction_batch
from trainables.training_batches import TrainingBatches
from trainables.training_step import TrainingStep


def training_device(wants_gpu: bool = True) -> torch.device:
    """This process's GPU; the CPU where none is wanted or there is none."""
    return torch.device("cuda" if wants_gpu and torch.cuda.is_available() else "cpu")


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

    A batch that memory does not hold is trained on in parts (`TrainingStep`), to the same numbers
    but for dropout's draws and for BatchNorm, where it trains.
    """

    def __init__(
        self, config: TrainingProtocol, galaxies: Galaxies, split: Split, device: torch.device
    ) -> None:
        """Build network, optimiser and loss on `device`; nothing is trained yet."""
        self.config, self.galaxies, self.split, self.device = config, galaxies, split, device
        prepare_device(device)
        self.network = within_memory(
            lambda: initial_network(config).to(device), f"a network of {config.architecture}"
        )
        self.network.to(memory_format=torch.channels_last)
        self._frozen_names = self.network.frozen_names()
        self.optimiser = build_optimiser(config, self.network)
        self.loss = ConstrainedLoss(config.coefficients(), config.tree).to(device)
        self.augmentation = Augmentation.of(config)
        features = {
            name: cached_features(config, self.network, galaxies, rows, device)
            for name, rows in self._parts_with_fixed_features().items()
        }
        self._validation_features = features.get("validation")
        chosen, fixed = split.training, features.get("training")
        self._batches = TrainingBatches(
            galaxy_source(galaxies, device),
            chosen,
            config.batch_size,
            augmentation=self.augmentation,
            features=fixed,
        )
        self.steps_per_epoch = len(self._batches)
        side = self.network.image_side
        self._micro_batch = MicroBatch("training", config.batch_size, side, device)
        step = TrainingStep(
            self.network,
            self.loss,
            self.optimiser,
            micro_batch=self._micro_batch,
            precision=training_precision(config, device),
        )
        self.step = GraphedStep(step, config.batch_size) if device.type == "cuda" else step
        has_features = self._validation_features is not None
        self._prediction_batch = prediction_batch(self.network, device, of_features=has_features)
        self.history: list[dict[str, float]] = []
        self._micro_batches: list[int] = []  # at the end of each epoch
        self.best_weights: dict[str, Tensor] = {}

    @property
    def epoch(self) -> int:
        """Number of epochs trained."""
        return len(self.history)

    @property
    def micro_batch(self) -> int:
        """How many galaxies are trained on at once: the batch size, or what memory holds."""
        return self._micro_batch.size

    @property
    def reports(self) -> list[dict[str, float]]:
        """The history, each epoch with the `micro_batch` that it ended with."""
        return [
            {**report, "micro_batch": size}
            for report, size in zip(self.history, self._micro_batches, strict=True)
        ]

    @property
    def best_epoch(self) -> int:
        """The epoch, from 1, whose monitored metric is lowest; 0 before the first."""
        return best_epoch(self.history, self.config.early_stopping_metric)

    @property
    def finished(self) -> str | None:
        """Why training is over, or None while it goes on."""
        return why_finished(self.config, self.history)

    def run_epoch(self) -> Report:
        """Train one epoch and validate; returns the epoch's report, all finite floats.

        Raises Diverged as soon as the loss, or at the end a metric, is not finite, and
        OutOfMemory where memory does not hold even one galaxy at a time.
        """
        return driven(self.epoch_in_steps(), self.step)

    def epoch_in_steps(self) -> EpochSteps:
        """`run_epoch`, each step being taken by whoever drives it (see trainables.epoch_steps)."""
        started = time.perf_counter()
        epoch = self.epoch + 1
        trained = yield from self._train(epoch)
        report = {"epoch": epoch, **trained, **self._validate()}
        last_step = epoch * self.steps_per_epoch - 1
        report["learning_rate"] = learning_rate(self.config, last_step, self.steps_per_epoch)
        report["seconds"] = time.perf_counter() - started
        for name, value in report.items():
            if not np.isfinite(value):
                raise Diverged(f"{name} is {value} at epoch {epoch}")
        self.history.append(report)
        self._micro_batches.append(self.micro_batch)
        if self.best_epoch == epoch:
            self.best_weights = {k: v.cpu().clone() for k, v in self._moving_state().items()}
        return self.reports[-1]

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
            "micro_batch": self.micro_batch,
            "micro_batches": self._micro_batches,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Continue from what `state` returned for the same config and data."""
        self._load_moving(state["network"])
        load_optimiser(self.optimiser, state["optimiser"])
        self.history = list(state["history"])
        self.best_weights = dict(state["best_weights"])
        whole = self.config.batch_size  # what states had that were written before micro-batches
        self._micro_batch.size = state.get("micro_batch", whole)
        self._micro_batches = list(state.get("micro_batches", [whole] * self.epoch))

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

    def _train(self, epoch: int) -> EpochSteps:
        generator = _seed_chance(self.config, epoch)
        self.network.train()
        loss_sum = torch.zeros((), device=self.device)
        squared_sum = torch.zeros((), device=self.device)
        first_step = self.epoch * self.steps_per_epoch
        watch = DivergenceWatch(self.device, epoch)
        for step, batch in enumerate(self._batches.drawn(generator)):
            rate = learning_rate(self.config, first_step + step, self.steps_per_epoch)
            set_learning_rate(self.optimiser, rate)
            for loss, squared in (yield batch):
                loss_sum += loss
                squared_sum += squared
            watch.look(step, loss_sum)
        num_galaxies = len(self.split.training)
        return {
            "train_loss": float(loss_sum) / num_galaxies,
            "train_rmse": float((squared_sum / (num_galaxies * NUM_ANSWERS)).sqrt()),
        }

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

    def _predict_validation(self) -> NDArray[np.float32]:
        network, batch = self.network, self._prediction_batch
        if self._validation_features is not None:
            return predict_from_features(network, self._validation_features, self.device, batch)
        rows = self.split.validation
        return predict(network, self.galaxies.images, self.device, rows, batch=batch)
