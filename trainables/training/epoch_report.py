"""The report of one epoch of a training run, and the rule that ends the run."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, Self

from search_spaces.declaration import TrainingProtocol
from trainables.decision_tree import NUM_QUESTIONS

_REQUIRED = ("epoch", "train_loss", "train_rmse", "val_loss", "val_rmse", "val_tree_residual",
             "learning_rate", "seconds")  # fmt: skip
_QUESTION = "val_rmse_q"  # beginning of the names of the questions' RMSEs


@dataclass(frozen=True, slots=True)
class EpochReport:
    """The numbers of one epoch of one training run.

    A loss is the mean squared error plus the weighted tree residuals (see `ConstrainedLoss`) plus
    the network's own regularisation.

    epoch: number of the epoch, from 1.
    train_loss, train_rmse: loss and RMSE of the training galaxies over the epoch, each galaxy as
        predicted in its training step.
    val_loss, val_rmse: loss and RMSE of all validation galaxies after the epoch.
    val_tree_residual: mean over validation galaxies and questions of the absolute tree residual,
        which is always that of the true tree.
    learning_rate: learning rate of the last step, before any parameter group's own factor.
    seconds: seconds of training and validation together; in a pack, this run's equal share.
    val_question_rmse: validation RMSE of questions 1 to 11, or () if it was not reported.
    val_rmse_raw: validation RMSE of the weights after the last step, if all other metrics are
        those of averaged weights; None otherwise.
    micro_batch: the most galaxies that go through the network at once in training, at the end of
        the epoch; None if it was not reported.
    """

    epoch: int
    train_loss: float
    train_rmse: float
    val_loss: float
    val_rmse: float
    val_tree_residual: float
    learning_rate: float
    seconds: float
    val_question_rmse: tuple[float, ...] = ()
    micro_batch: int | None = None
    val_rmse_raw: float | None = None

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Self:
        """Build a report from the mapping that `as_values` returns; ignore other keys.

        A missing number raises KeyError, except that `micro_batch`, `val_rmse_raw` and the RMSEs
        of the questions may be missing. The RMSEs of the questions must be given all or not at
        all: if only some are given, these take the places from question 1 on. A value that is no
        number raises ValueError or TypeError.
        """
        numbers = {name: float(values[name]) for name in _REQUIRED if name != "epoch"}
        names = [f"{_QUESTION}{number}" for number in range(1, NUM_QUESTIONS + 1)]
        size, raw = values.get("micro_batch"), values.get("val_rmse_raw")
        return cls(
            epoch=int(values["epoch"]),
            **numbers,
            val_question_rmse=tuple(float(values[name]) for name in names if name in values),
            micro_batch=None if size is None else int(size),
            val_rmse_raw=None if raw is None else float(raw),
        )

    def as_values(self) -> dict[str, float]:
        """Return the numbers by name, in the order of a curve file.

        The mapping is flat: the RMSE of question 1 is `val_rmse_q1`. The RMSEs of the questions
        are left out if `val_question_rmse` is (), and a number that is None is left out too.
        """
        values: dict[str, float] = {name: getattr(self, name) for name in _REQUIRED[:6]}
        values |= {f"{_QUESTION}{i}": v for i, v in enumerate(self.val_question_rmse, start=1)}
        values |= {"learning_rate": self.learning_rate, "seconds": self.seconds}
        told = {"val_rmse_raw": self.val_rmse_raw, "micro_batch": self.micro_batch}
        return values | {name: value for name, value in told.items() if value is not None}


Curve = Sequence[EpochReport]  # the reports of one training run, the first epoch first


def why_unusable(values: Mapping[str, Any]) -> str | None:
    """Return which reported number is missing or not finite, or None if all numbers are usable.

    values: a trial's report by name. The required numbers of EpochReport and every other value
    whose name begins with `train_` or `val_` are checked. The result is a phrase such as "reported
    val_rmse = nan at epoch 3".
    """
    epoch = values.get("epoch")
    if not isinstance(epoch, Real):
        return f"reported no epoch, but {epoch!r}"
    reported = {k: v for k, v in values.items() if k.startswith(("train_", "val_"))}
    for name, value in {"val_rmse": None, **reported, **_required(values)}.items():
        if not isinstance(value, Real) or not math.isfinite(value):
            return f"reported {name} = {value} at epoch {epoch}"
    return None


def _required(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the required numbers of EpochReport by name, with None for a missing number."""
    return {name: values.get(name) for name in _REQUIRED}


def best_epoch(curve: Curve, metric: str) -> int:
    """Return the number, from 1, of the epoch whose `metric` is lowest, or 0 for an empty curve.

    Of several equal epochs the first is returned. curve: the reports from epoch 1 on, without
    gaps. metric: name of a field of EpochReport, such as `val_rmse`.
    """
    monitored = [getattr(report, metric) for report in curve]
    return monitored.index(min(monitored)) + 1 if monitored else 0


def why_finished(config: TrainingProtocol, curve: Curve) -> str | None:
    """Return why a training of `config` ends after the epochs of `curve`, or None if it goes on.

    The training ends when all epochs are trained, or when the metric of early stopping has not
    improved in as many epochs as the config's patience. A patience of 0 never ends a training. The
    result is "all epochs trained" or a phrase such as "no better epoch in 50". curve: the reports
    from epoch 1 on, without gaps.
    """
    if len(curve) >= config.epochs:
        return "all epochs trained"
    patience = config.early_stopping_patience
    if patience and len(curve) - best_epoch(curve, config.early_stopping_metric) >= patience:
        return f"no better epoch in {patience}"
    return None
