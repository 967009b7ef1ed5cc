"""A search in simulated time: workers train recorded curves, a method says what and how long."""

import heapq
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Curve:
    """What training one config gives: rmse [E], NaN from where it diverges on; s an epoch."""

    rmse: NDArray[np.float64]
    seconds: float


class CurveSource(Protocol):
    """Where curves come from."""

    num_epochs: int

    def curve(self, config: Mapping[str, Any]) -> Curve:
        """The curve of a config; the same one whenever it is asked for."""


@dataclass(frozen=True)
class Job:
    """A trial to train from `first_epoch` on: a new one from 1, a paused one from where it was.

    config: what is searched and in use, by Optuna's names without prefix.
    """

    trial: int
    config: Mapping[str, Any]
    first_epoch: int = 1


class Method(ABC):
    """A way to search: which trial a free worker trains next, and which go on."""

    @abstractmethod
    def next_job(self) -> Job:
        """What the worker that has just become free is to do."""

    @abstractmethod
    def goes_on(self, trial: int, epoch: int, rmse: float) -> bool:
        """Hear of an epoch; False frees the worker. The last epoch's answer is not used."""

    def failed(self, trial: int) -> None:  # noqa: B027  not every method learns from it
        """Hear that a trial diverged and is over."""

    def close(self) -> None:  # noqa: B027  only some methods hold a process
        """Let go of what the method holds."""


@dataclass
class Outcome:
    """The course of a search.

    device_seconds and best: after each improvement, worker-seconds spent and the lowest RMSE of
    any epoch so far; num_trials and num_epochs were begun and trained in all.
    """

    device_seconds: list[float] = field(default_factory=list)
    best: list[float] = field(default_factory=list)
    num_trials: int = 0
    num_epochs: int = 0

    def improve(self, device_seconds: float, rmse: float) -> None:
        """Note an RMSE if it is the lowest so far."""
        if not self.best or rmse < self.best[-1]:
            self.best.append(rmse)
            self.device_seconds.append(device_seconds)

    def best_at(self, device_seconds: NDArray[np.float64]) -> NDArray[np.float64]:
        """The lowest RMSE [T] by each of T times; infinite before the first epoch's end."""
        places = np.searchsorted(self.device_seconds, device_seconds, side="right")
        found: NDArray[np.float64] = np.array([math.inf, *self.best])[places]
        return found

    def seconds_to(self, target: float) -> float:
        """Worker-seconds until an RMSE of at most `target` was reached; infinite if never."""
        reached = (s for s, rmse in zip(self.device_seconds, self.best) if rmse <= target)
        return next(reached, math.inf)


def simulate(
    method: Method,
    curves: CurveSource,
    *,
    num_workers: int,
    budget: float,
    target: float | None = None,
    least: float = 0.0,
) -> Outcome:
    """Search until `budget` worker-seconds are spent; what methods think with costs nothing.

    With a `target` the search also ends once an RMSE as low as that is reached and at `least` so
    many worker-seconds are spent.
    """
    outcome, known = Outcome(), {}
    events: list[tuple[float, int, int, int]] = []  # when an epoch ends, worker, trial, epoch

    def begin(now: float, worker: int) -> None:
        job = method.next_job()
        if job.trial not in known:
            known[job.trial] = curves.curve(job.config)
            outcome.num_trials += 1
        end = now + known[job.trial].seconds
        heapq.heappush(events, (end, worker, job.trial, job.first_epoch))

    for worker in range(num_workers):
        begin(0.0, worker)
    while events:
        is_there = target is not None and bool(outcome.best) and outcome.best[-1] <= target
        if is_there and events[0][0] * num_workers > least:
            break
        now, worker, trial, epoch = heapq.heappop(events)
        if now * num_workers > budget:
            break
        outcome.num_epochs += 1
        curve = known[trial]
        rmse = float(curve.rmse[epoch - 1])
        if not math.isfinite(rmse):
            method.failed(trial)
            begin(now, worker)
            continue
        outcome.improve(now * num_workers, rmse)
        if method.goes_on(trial, epoch, rmse) and epoch < curves.num_epochs:
            heapq.heappush(events, (now + curve.seconds, worker, trial, epoch + 1))
        else:
            begin(now, worker)
    return outcome
