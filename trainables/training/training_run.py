"""The training of one config in plain PyTorch, which can be stopped and resumed at any epoch."""

import time
from collections.abc import Generator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from search_spaces.declaration import TrainingProtocol
from trainables.architectures import build_network
from trainables.backbones import cached_features
from trainables.decision_tree import NUM_ANSWERS
from trainables.device import MicroBatch, prepare_device, training_precision, within_memory
from trainables.galaxies import Galaxies, Split, galaxy_source
from trainables.layers import GalaxyNetwork
from trainables.training.activation_memory import bound_micro_batch
from trainables.training.augmentation import Augmentation
from trainables.training.averaged_weights import AveragedWeights
from trainables.training.batches import TrainingBatch, TrainingBatches
from trainables.training.divergence import Diverged, DivergenceWatch
from trainables.training.epoch_report import EpochReport, best_epoch, why_finished
from trainables.training.graphed_step import GraphedStep
from trainables.training.loss import ConstrainedLoss
from trainables.training.metrics import evaluate
from trainables.training.optimiser import (
    build_optimiser,
    learning_rate,
    load_optimiser,
    set_learning_rate,
)
from trainables.training.prediction import predict, predict_from_features, prediction_batch
from trainables.training.resampling import importances
from trainables.training.step import EpochSteps, Sums, TrainingStep, driven


def initial_network(config: TrainingProtocol) -> GalaxyNetwork:
    """Return the network with which a training run of `config` begins, on the CPU.

    The config's seed sets torch's global random state and so decides the drawn weights. Pretrained
    weights are read from their file or from an earlier export, or downloaded if this machine lacks
    them. InvalidInput is raised if there is no such network or if such weights cannot be loaded.
    """
    _seed_chance(config, epoch=0)
    return build_network(config)


def _seed_chance(config: TrainingProtocol, epoch: int) -> torch.Generator:
    """Seed torch's global random state for one epoch; return a generator on the CPU.

    Dropout draws from the global state, the order and the augmentation from the generator. The
    config's seed and the epoch's number decide both seeds. Epoch 0 is the initialisation of the
    network.
    """
    words = np.random.SeedSequence([config.seed, epoch]).generate_state(2)
    torch.manual_seed(int(words[0]))
    return torch.Generator().manual_seed(int(words[1]))


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
        epoch, averaged if the config keeps averaged weights; {} before the first epoch; after
        `load_state` the tensors of the loaded state.
    """

    def __init__(
        self,
        config: TrainingProtocol,
        galaxies: Galaxies,
        split: Split,
        device: torch.device,
        *,
        memory_share: float = 1.0,
    ) -> None:
        """Build network, optimiser and loss on `device`, without training.

        split: the rows of the galaxies for training and validation. The device is set up for this
        process (see `prepare_device`), and torch's global random state is set. The features of a
        frozen backbone are computed and written to the cache if they are not there. On a GPU the
        galaxies are copied to its memory if they are small (see `galaxy_source`). On a CPU the
        training steps are done in parts if a whole batch does not fit into the main memory.
        memory_share: the part of the machine's main memory that this training may take, above 0;
        used on a CPU alone.

        OutOfMemory is raised if memory does not hold the network, InvalidInput if there is no such
        network or its pretrained weights cannot be loaded, and OSError if the cached features of a
        frozen backbone cannot be written.
        """
        self.config, self.galaxies, self.split, self.device = config, galaxies, split, device
        prepare_device(device)
        self.network = within_memory(
            lambda: initial_network(config).to(device), f"a network of {config.architecture}"
        )
        importance = _importance(config, galaxies, split)
        if config.output_bias == "votes" and not self.network.has_trained_output:
            voted = np.average(galaxies.target[split.training], axis=0, weights=importance)
            self.network.begin_at(torch.from_numpy(voted.astype(np.float32)))
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
        has_features = self._validation_features is not None
        self._prediction_batch = prediction_batch(self.network, device, of_features=has_features)
        self._averaged = self._averages()
        self.reports: list[EpochReport] = []
        self.best_weights: dict[str, Tensor] = {}

    def _averages(self) -> AveragedWeights | None:
        """Return the averages of the untrained weights, or None if the config keeps none."""
        if self.config.kept_weights != "averaged":
            return None
        num_steps = self.config.averaging_epochs * self.steps_per_epoch
        return AveragedWeights(self._moving_tensors(), num_steps)

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
        for name, value in report.items():
            if not np.isfinite(value):
                raise Diverged(f"{name} is {value} at epoch {epoch}")
        report["micro_batch"] = self.micro_batch
        self.reports.append(EpochReport.from_values(report))
        if self.best_epoch == epoch:
            kept = self._moving_state() if self._averaged is None else self._averaged.state
            self.best_weights = {k: v.cpu().clone() for k, v in kept.items()}
        return self.reports[-1]

    def restore_best_weights(self) -> None:
        """Load the best epoch's weights into the network.

        RuntimeError is raised if no epoch has been trained.
        """
        self._load_moving(self.best_weights)

    def frozen_weights(self) -> dict[str, Tensor]:
        """Return the part of the network's state_dict that training does not change, on the CPU.

        `best_weights` and `state` leave this part out. The mapping is empty if everything is
        trained. If the network is on the CPU, the tensors are not copies.
        """
        state = self.network.state_dict()
        return {name: state[name].detach().cpu() for name in self._frozen_names}

    def state(self) -> dict[str, Any]:
        """Return what `load_state` needs to continue this run later, by name.

        The weights are the trained part of the network's state_dict; `frozen_weights` returns the
        rest. The tensors of the network and the optimiser are not copies: the next epoch changes
        them. Save or copy the state before training goes on.
        """
        return {
            "network": self._moving_state(),
            "optimiser": self.optimiser.state_dict(),
            "history": [report.as_values() for report in self.reports],
            "best_weights": self.best_weights,
            "micro_batch": self.micro_batch,
            **({} if self._averaged is None else {"averaged": self._averaged.as_state()}),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Continue from a state that `state` returned for the same config and data.

        The network's weights are copied from the state. The optimiser and `best_weights` may take
        over the state's own tensors, so use the state only once. RuntimeError or ValueError is
        raised if the weights or the optimiser's state belong to another network.
        """
        self._load_moving(state["network"])
        load_optimiser(self.optimiser, state["optimiser"])
        whole = self.config.batch_size  # of a state that does not name its micro-batch
        self.reports = [EpochReport.from_values(values) for values in _history(state, whole)]
        self.best_weights = dict(state["best_weights"])
        self._micro_batch.size = min(self.micro_batch, state.get("micro_batch", whole))
        if self._averaged is not None:
            self._averaged.load_state(state["averaged"])

    def _moving_state(self) -> dict[str, Tensor]:
        """Return the part of the network's state_dict that training changes, not as copies."""
        state = self.network.state_dict()
        return {k: v.detach() for k, v in state.items() if k not in self._frozen_names}

    def _moving_tensors(self) -> dict[str, Tensor]:
        """Return the network's own tensors that training changes, by their state_dict names."""
        state = self.network.state_dict(keep_vars=True)
        return {name: state[name] for name in state if name not in self._frozen_names}

    def _load_moving(self, weights: dict[str, Tensor]) -> None:
        """Load the part of the network's state_dict that training changes."""
        self.network.load_state_dict({**self.frozen_weights(), **weights})

    def _parts_with_fixed_features(self) -> dict[str, NDArray[np.int64]]:
        """Return the rows of each part of the split whose features stay the same in all epochs.

        The keys are `validation` and, if the augmentation does nothing, `training`. The mapping is
        empty if the network has no frozen features.
        """
        if not self.network.has_frozen_features:
            return {}
        parts = {"validation": self.split.validation}
        if self.augmentation.does_nothing:
            parts["training"] = self.split.training
        return parts

    def _train(self, epoch: int) -> Generator[TrainingBatch, Sums, dict[str, float]]:
        """Yield the batches of one epoch and receive their sums; return train_loss and train_rmse.

        epoch: number of the epoch, from 1. Diverged is raised if the loss is not finite.
        """
        generator = _seed_chance(self.config, epoch)
        self.network.train()
        loss_sum = torch.zeros((), device=self.device)
        squared_sum = torch.zeros((), device=self.device)
        first_step = self.epoch * self.steps_per_epoch
        watch = DivergenceWatch(self.device, epoch)
        moving = self._moving_tensors()
        for step, batch in enumerate(self._batches.drawn(generator)):
            rate = learning_rate(self.config, first_step + step, self.steps_per_epoch)
            set_learning_rate(self.optimiser, rate)
            for loss, squared in (yield batch):
                loss_sum += loss
                squared_sum += squared
            if self._averaged is not None:
                self._averaged.follow(moving)
            watch.look(step, loss_sum)
        num_galaxies = len(self.split.training)
        return {
            "train_loss": float(loss_sum) / num_galaxies,
            "train_rmse": float((squared_sum / (num_galaxies * NUM_ANSWERS)).sqrt()),
        }

    def _validate_both(self) -> dict[str, float]:
        """Return what `_validate` does of the weights that are kept.

        If the averages are kept, the RMSE of the raw weights is added as `val_rmse_raw`.
        """
        if self._averaged is None:
            return self._validate()
        raw = self._validate()
        with self._averaged.in_place_of(self._moving_tensors()):
            return {**self._validate(), "val_rmse_raw": raw["val_rmse"]}

    def _validate(self) -> dict[str, float]:
        """Return val_loss and every metric of `evaluate`, its name prefixed with `val_`."""
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
        """Return the network's vote fractions [N, 37] for the N validation galaxies."""
        network, batch = self.network, self._prediction_batch
        if self._validation_features is not None:
            return predict_from_features(network, self._validation_features, self.device, batch)
        rows = self.split.validation
        return predict(network, self.galaxies.images, self.device, rows, batch=batch)


def _importance(
    config: TrainingProtocol, galaxies: Galaxies, split: Split
) -> NDArray[np.float64] | None:
    """Return how often each training galaxy is drawn in an epoch, or None for once each.

    The result is None unless the config resamples and the file marks some galaxies, but not all,
    as unbiased: only then can the training part differ from the validation part.
    """
    flags = galaxies.unbiased
    if config.resampling == "none" or flags is None or flags.all() or not flags.any():
        return None
    return importances(galaxies.target[split.training], galaxies.target[split.validation])


def _history(state: dict[str, Any], whole: int) -> list[dict[str, float]]:
    """Return the reports of a stored state, each as values by name.

    A state of galaxytune 0.1.0 holds the sizes of the micro-batches in a list of their own, or
    not at all; then every batch was trained on whole. whole: the batch size.
    """
    sizes = state.get("micro_batches", [whole] * len(state["history"]))
    return [
        {"micro_batch": n, **values} for values, n in zip(state["history"], sizes, strict=True)
    ]
