"""The training of one config in plain PyTorch, which can be stopped and resumed at any epoch."""

import time
from collections.abc import Generator, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from search_spaces.declaration import TrainingProtocol
from trainables.backbones import cached_features
from trainables.decision_tree import NUM_ANSWERS
from trainables.device import MicroBatch, prepare_device, training_precision
from trainables.galaxies import Galaxies, Split, galaxy_source
from trainables.training.activation_memory import bound_micro_batch
from trainables.training.augmentation import Augmentation
from trainables.training.batches import TrainingBatch, TrainingBatches
from trainables.training.beginning import begun_network, seed_chance
from trainables.training.calibration import is_calibrated
from trainables.training.divergence import Diverged, DivergenceWatch
from trainables.training.epoch_report import EpochReport, best_epoch, why_finished
from trainables.training.graphed_step import GraphedStep
from trainables.training.loss import ConstrainedLoss
from trainables.training.moving_weights import MovingWeights
from trainables.training.optimiser import (
    build_optimiser,
    learning_rate,
    load_optimiser,
    set_learning_rate,
)
from trainables.training.resampling import epoch_importances
from trainables.training.step import EpochSteps, Sums, TrainingStep, driven
from trainables.training.validation import Validation

_PREDICTIONS = "best_predictions"  # key of a state


class TrainingRun:
    """One config in training: call `run_epoch` until `finished` is not None.

    On a CPU the same config, data and seed give the same numbers. The random draws of an epoch
    follow from the seed and the epoch's number, so a resumed run gives the same numbers as a run
    that was never stopped. A batch that memory does not hold is trained on in parts (see
    `TrainingStep`), with the same numbers except for dropout's draws and for a BatchNorm that
    trains. Training an epoch sets torch's global random state.

    config, galaxies, split, device: the arguments of the constructor.
    network, loss, optimiser, augmentation: built from the config.
    step: the callable that takes one step on a batch, a TrainingStep; on a GPU a GraphedStep.
    steps_per_epoch: the number of batches in an epoch.
    reports: the report of each trained epoch, the first epoch first.
    best_weights: a copy, on the CPU, of the trained part of the network's state_dict at the best
        epoch, averaged if the config keeps averaged weights, and calibrated if the training
        calibrates; {} before the first epoch; after `load_state` the tensors of the loaded state.
    best_predictions: the vote fractions [V, 37] float16 that the best weights predict for the V
        validation galaxies (see `Validation.predicted`); None before the first epoch, and after
        `load_state` of a state whose version kept none.
    """

    def __init__(
        self,
        config: TrainingProtocol,
        galaxies: Galaxies,
        split: Split,
        device: torch.device,
        *,
        memory_share: float = 1.0,
        resembled: NDArray[np.int64] | None = None,
    ) -> None:
        """Build network, optimiser and loss on `device`, without training.

        split: the rows of the galaxies for training and validation; the validation part may be
        empty if only `train_epoch` is called. The device is set up for this process (see
        `prepare_device`), and torch's global random state is set. The features of a frozen
        backbone are computed and written to the cache if they are not there. On a GPU the
        galaxies are copied to its memory if they are small (see `galaxy_source`). On a CPU the
        training steps are done in parts if a whole batch does not fit into the main memory.
        memory_share: the part of the machine's main memory that this training may take, above 0;
        used on a CPU alone. resembled: the rows of the unbiased galaxies whose votes the drawn
        training galaxies resemble if the config resamples; None for the validation part.

        OutOfMemory is raised if memory does not hold the network, InvalidInput if there is no such
        network or its pretrained weights cannot be loaded, and OSError if the cached features of a
        frozen backbone cannot be written.
        """
        self.config, self.galaxies, self.split, self.device = config, galaxies, split, device
        prepare_device(device)
        importance = epoch_importances(
            config, galaxies, split.training, split.validation if resembled is None else resembled
        )
        votes = galaxies.target[split.training]
        self.network = begun_network(config, votes, importance, device)
        self.optimiser = build_optimiser(config, self.network)
        self.loss = ConstrainedLoss(config.coefficients(), config.tree).to(device)
        self.augmentation = Augmentation.of(config)
        features = {
            name: cached_features(config, self.network, galaxies, rows, device)
            for name, rows in self._parts_with_fixed_features().items()
        }
        self._validation = Validation(
            self.network,
            self.loss,
            galaxies,
            split.validation,
            device,
            features=features.get("validation"),
            calibrates=is_calibrated(config, galaxies),
        )
        chosen, fixed = split.training, features.get("training")
        self._batches = TrainingBatches(
            galaxy_source(galaxies, device),
            chosen,
            config.batch_size,
            augmentation=self.augmentation,
            features=fixed,
            importance=importance,
        )
        self.steps_per_epoch = len(self._batches)
        side = self.network.image_side
        self._micro_batch = MicroBatch("training", config.batch_size, side, device)
        precision = training_precision(config, device)
        if device.type == "cpu" and fixed is None:
            bound_micro_batch(
                self._micro_batch,
                self.network,
                self._batches.first(),
                precision=precision,
                share=memory_share,
            )
        step = TrainingStep(
            self.network,
            self.loss,
            self.optimiser,
            micro_batch=self._micro_batch,
            precision=precision,
        )
        self.step = GraphedStep(step, config.batch_size) if device.type == "cuda" else step
        averaging = config.averaging_epochs * self.steps_per_epoch
        self._weights = MovingWeights(
            self.network, averaging if config.kept_weights == "averaged" else None
        )
        self.reports: list[EpochReport] = []
        self.best_weights: dict[str, Tensor] = {}
        self.best_predictions: NDArray[np.float16] | None = None

    @property
    def epoch(self) -> int:
        """The number of epochs trained, from 0."""
        return len(self.reports)

    @property
    def micro_batch(self) -> int:
        """The galaxies trained on at once: the batch size, or fewer if memory is short."""
        return self._micro_batch.size

    @property
    def best_epoch(self) -> int:
        """The number, from 1, of the epoch with the lowest `early_stopping_metric` of the config.

        The number is 0 before the first epoch.
        """
        return best_epoch(self.reports, self.config.early_stopping_metric)

    @property
    def finished(self) -> str | None:
        """The reason why the training is over, or None if it goes on (see `why_finished`)."""
        return why_finished(self.config, self.reports)

    def run_epoch(self) -> EpochReport:
        """Train one epoch, validate, and return the report of the epoch.

        The report is added to `reports`, and `best_weights` is replaced if the epoch is the best.
        All numbers of the report are finite. Diverged is raised during the epoch if the loss is
        not finite, and at the end of the epoch if a metric is not finite. OutOfMemory is raised if
        memory does not hold even one galaxy at a time, or the optimiser's step. After an error the
        network may have changed, and there is no report. A finished run trains on if the method is
        called.
        """
        return driven(self.epoch_in_steps(), self.step)

    def epoch_in_steps(self) -> EpochSteps:
        """Return a generator that runs one epoch and lets its caller take the steps.

        The generator yields each batch, must be sent the sums of the batch, and returns the report
        (see `EpochSteps` and `driven`). Before the first batch the generator sets torch's global
        random state and the network's training mode. The generator changes `reports` and
        `best_weights`, and raises Diverged, as `run_epoch` does. The generator raises OutOfMemory
        if memory does not hold the validation of one galaxy.
        """
        started = time.perf_counter()
        epoch = self.epoch + 1
        trained = yield from self._train(epoch)
        report = {"epoch": epoch, **trained, **self._validate_both()}
        last_step = epoch * self.steps_per_epoch - 1
        report["learning_rate"] = learning_rate(self.config, last_step, self.steps_per_epoch)
        report["seconds"] = time.perf_counter() - started
        _check_finite(report, epoch)
        report["micro_batch"] = self.micro_batch
        self.reports.append(EpochReport.from_values(report))
        if self.best_epoch == epoch:
            self.best_weights = self._validation.calibrated(self._weights.kept())
            self.best_predictions = self._validation.predicted.astype(np.float16)
        return self.reports[-1]

    def train_epoch(self, epoch: int) -> dict[str, float]:
        """Train one epoch without validation; return `train_loss` and `train_rmse`.

        epoch: number of the epoch, from 1, which decides the learning rate and the random draws.
        `reports`, `best_weights` and `best_predictions` stay as they are, so that the method does
        not go together with `run_epoch`. Diverged is raised if a number is not finite, OutOfMemory
        as in `run_epoch`.
        """
        trained = driven(self._train(epoch), self.step)
        _check_finite(trained, epoch)
        return trained

    def restore_best_weights(self) -> None:
        """Load the best epoch's weights into the network.

        RuntimeError is raised if no epoch has been trained.
        """
        self._weights.load(self.best_weights)

    def last_weights(self) -> dict[str, Tensor]:
        """Return the weights of the last step by name, the frozen ones included, on the CPU.

        The weights are the averages if the config keeps averaged weights. The trained weights are
        copies.
        """
        return self._weights.frozen() | self._weights.kept()

    def frozen_weights(self) -> dict[str, Tensor]:
        """Return the part of the network's state_dict that training does not change, on the CPU.

        `best_weights` and `state` leave this part out. The mapping is empty if everything is
        trained. If the network is on the CPU, the tensors are not copies.
        """
        return self._weights.frozen()

    def state(self) -> dict[str, Any]:
        """Return what `load_state` needs to continue this run later, by name.

        The weights are the trained part of the network's state_dict; `frozen_weights` returns the
        rest. The tensors of the network and the optimiser are not copies: the next epoch changes
        them. Save or copy the state before training goes on.
        """
        average = self._weights.average
        return {
            "network": self._weights.state(),
            "optimiser": self.optimiser.state_dict(),
            "history": [report.as_values() for report in self.reports],
            "best_weights": self.best_weights,
            "micro_batch": self.micro_batch,
            **({} if average is None else {"averaged": average.as_state()}),
            **_as_tensor(self.best_predictions),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Continue from a state that `state` returned for the same config and data.

        The network's weights are copied from the state. The optimiser and `best_weights` may take
        over the state's own tensors, so use the state only once. RuntimeError or ValueError is
        raised if the weights or the optimiser's state belong to another network.
        """
        self._weights.load(state["network"])
        load_optimiser(self.optimiser, state["optimiser"])
        whole = self.config.batch_size  # of a state that does not name its micro-batch
        self.reports = [EpochReport.from_values(values) for values in _history(state, whole)]
        self.best_weights = dict(state["best_weights"])
        predicted = state.get(_PREDICTIONS)  # a state of version 0.1.0 has none
        self.best_predictions = None if predicted is None else predicted.cpu().numpy()
        self._micro_batch.size = min(self.micro_batch, state.get("micro_batch", whole))
        if self._weights.average is not None:
            self._weights.average.load_state(state["averaged"])

    def _parts_with_fixed_features(self) -> dict[str, NDArray[np.int64]]:
        """Return the rows of each part of the split whose features stay the same in all epochs.

        The keys are `validation` and, if the augmentation does nothing, `training`. The mapping is
        empty if the network has no frozen features. An empty part is left out.
        """
        if not self.network.has_frozen_features:
            return {}
        parts = {"validation": self.split.validation} if len(self.split.validation) else {}
        if self.augmentation.does_nothing:
            parts["training"] = self.split.training
        return parts

    def _train(self, epoch: int) -> Generator[TrainingBatch, Sums, dict[str, float]]:
        """Yield the batches of one epoch and receive their sums; return train_loss and train_rmse.

        epoch: number of the epoch, from 1. Diverged is raised if the loss is not finite.
        """
        generator = seed_chance(self.config, epoch)
        self.network.train()
        loss_sum = torch.zeros((), device=self.device)
        squared_sum = torch.zeros((), device=self.device)
        first_step = (epoch - 1) * self.steps_per_epoch
        watch = DivergenceWatch(self.device, epoch)
        moving, average = self._weights.tensors(), self._weights.average
        for step, batch in enumerate(self._batches.drawn(generator)):
            rate = learning_rate(self.config, first_step + step, self.steps_per_epoch)
            set_learning_rate(self.optimiser, rate)
            for loss, squared in (yield batch):
                loss_sum += loss
                squared_sum += squared
            if average is not None:
                average.follow(moving)
            watch.look(step, loss_sum)
        num_galaxies = len(self.split.training)
        return {
            "train_loss": float(loss_sum) / num_galaxies,
            "train_rmse": float((squared_sum / (num_galaxies * NUM_ANSWERS)).sqrt()),
        }

    def _validate_both(self) -> dict[str, float]:
        """Return the report of `Validation` for the weights that are kept.

        If the averages are kept, the RMSE of the raw weights is added as `val_rmse_raw`.
        """
        average = self._weights.average
        if average is None:
            return self._validation.report()
        raw = self._validation.report()
        with average.in_place_of(self._weights.tensors()):
            return {**self._validation.report(), "val_rmse_raw": raw["val_rmse"]}


def _check_finite(numbers: Mapping[str, float], epoch: int) -> None:
    """Raise Diverged, which names the number, if a number of an epoch is not finite."""
    for name, value in numbers.items():
        if not np.isfinite(value):
            raise Diverged(f"{name} is {value} at epoch {epoch}")


def _as_tensor(predicted: NDArray[np.float16] | None) -> dict[str, Tensor]:
    """Return the part of a state that holds the best predictions; {} for None."""
    return {} if predicted is None else {_PREDICTIONS: torch.from_numpy(predicted)}


def _history(state: dict[str, Any], whole: int) -> list[dict[str, float]]:
    """Return the reports of a stored state, each as values by name.

    A state of galaxytune 0.1.0 holds the sizes of the micro-batches in a list of their own, or
    not at all; then every batch was trained on whole. whole: the batch size.
    """
    sizes = state.get("micro_batches", [whole] * len(state["history"]))
    return [
        {"micro_batch": n, **values} for values, n in zip(state["history"], sizes, strict=True)
    ]
