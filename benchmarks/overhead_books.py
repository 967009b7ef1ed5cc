"""Time a suggestion, a report and a record after many trials, without Ray's processes.

Part of benchmarks/overhead.py. Each side is driven as Tune's loop drives it: searcher, scheduler
and ledger here, OptunaSearch and ASHA there.
"""

import contextlib
import io
import random
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import Any, Protocol

import optuna
from optuna.samplers import RandomSampler
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend

from benchmarks.simulated_training import drawn, epoch_reports, make_study

OPERATIONS = ("suggest", "report", "record")
LONGEST = 9  # epochs of a trial
_CONTROLLER: Any = None  # no scheduler here looks at it


class Books(Protocol):
    """One side, which knows of some trials."""

    def fill(self, num_trials: int) -> None:
        """Let it know of so many trials in all, drawn at random."""

    def one_trial(self) -> dict[str, float]:
        """Run one more, whole; seconds of each of OPERATIONS."""


class OwnBooks:
    """galaxytune's searcher, scheduler and ledger on a study folder of their own."""

    def __init__(self, folder: Path) -> None:
        """A new study in `folder`; at the rung of epoch 1 two trials in three pause."""
        from galaxytune.driver.ledger import Ledger
        from galaxytune.driver.promotion import Promotion
        from galaxytune.driver.trial_queue import TrialQueue
        from galaxytune.driver.tune_scheduler import StudyScheduler
        from galaxytune.driver.tune_searcher import StudySearcher

        study = make_study(folder, trials=1_000_000, epochs=LONGEST, grace_epochs=1)
        self.ledger = Ledger(study)
        promotion = Promotion(self.ledger)
        queue = TrialQueue(self.ledger, promotion, {}, slots=1)
        self.searcher = StudySearcher(self.ledger, queue)
        self.scheduler = StudyScheduler(self.ledger, promotion)

    def fill(self, num_trials: int) -> None:
        """Run trials, each drawn at random."""
        study = self.ledger._journal.study
        own, study.sampler = study.sampler, RandomSampler(seed=num_trials)
        while len(self.ledger.records) < num_trials:
            self.one_trial(level=random.random())
        study.sampler = own

    def one_trial(self, level: float = 0.0) -> dict[str, float]:
        """Run one whose values approach `level`; at 0 nobody stops it."""
        told = [time.perf_counter()]
        config = self.searcher.suggest("")
        told.append(time.perf_counter())
        task = config["task"]
        trial: Any = SimpleNamespace(trial_id=task.trial_id, config=config, status="RUNNING")
        for report in epoch_reports(level, LONGEST):
            decision = self.scheduler.on_trial_result(_CONTROLLER, trial, report)
            told.append(time.perf_counter())
            if decision != "CONTINUE":
                break
        suggested, *reports, last = (after - before for before, after in zip(told, told[1:]))
        one_report = median(reports or [last])
        return dict(zip(OPERATIONS, (suggested, one_report, last - one_report)))


class StockBooks:
    """OptunaSearch and ASHA."""

    def __init__(self, storage: BaseStorage | None = None) -> None:
        """`storage` of the Optuna study; it is in memory by default."""
        from ray.tune.schedulers import ASHAScheduler  # noqa: TID251
        from ray.tune.search.optuna import OptunaSearch  # noqa: TID251

        metric: dict[str, Any] = {"metric": "val_rmse", "mode": "min"}
        self.search = OptunaSearch(space=drawn, storage=storage, seed=0, **metric)
        self.asha = ASHAScheduler(max_t=LONGEST, grace_period=1, reduction_factor=4, **metric)
        self.number = 0

    def fill(self, num_trials: int) -> None:
        """Add trials as ended, each drawn at random and stopped at its first epoch."""
        known: Any = self.search._ot_study
        others = optuna.create_study(sampler=RandomSampler(seed=num_trials))
        while self.number < num_trials:
            trial, value = others.ask(), random.random()
            drawn(trial)
            known.add_trial(
                optuna.create_trial(
                    params=trial.params,
                    distributions=trial.distributions,
                    value=value,
                    intermediate_values={1: value},
                )
            )
            self._hear(self._begin(), value)

    def one_trial(self) -> dict[str, float]:
        """Run one: a report, then the end."""
        told = [time.perf_counter()]
        trial, value = self._begin(), random.random()
        result = {"val_rmse": value, "training_iteration": 1}
        self.search.suggest(trial.trial_id)
        told.append(time.perf_counter())
        self._hear(trial, value)
        self.search.on_trial_result(trial.trial_id, result)
        told.append(time.perf_counter())
        self.asha.on_trial_complete(_CONTROLLER, trial, result)
        self.search.on_trial_complete(trial.trial_id, result)
        told.append(time.perf_counter())
        return dict(zip(OPERATIONS, (after - before for before, after in zip(told, told[1:]))))

    def _begin(self) -> Any:
        self.number += 1
        trial: Any = SimpleNamespace(trial_id=f"{self.number:05d}", status="RUNNING")
        self.asha.on_trial_add(_CONTROLLER, trial)
        return trial

    def _hear(self, trial: Any, value: float) -> None:
        self.asha.on_trial_result(_CONTROLLER, trial, {"val_rmse": value, "training_iteration": 1})


def measure(books: Books, num_trials: int, name: str) -> float:
    """Print the median milliseconds of each operation after `num_trials`; returns their sum.

    The fastest of all trials is printed too: other work on the machine adds to the median.
    """
    with contextlib.redirect_stderr(io.StringIO()):
        books.fill(num_trials)
        times = [books.one_trial() for _ in range(20)]
    milliseconds = {o: 1000 * median(t[o] for t in times) for o in OPERATIONS}
    total = sum(milliseconds.values())
    parts = ", ".join(f"{operation} {value:.1f}" for operation, value in milliseconds.items())
    fastest = 1000 * min(sum(t.values()) for t in times)
    print(
        f"after {num_trials} trials, {name}: {parts}; together {total:.1f} ms, "
        f"the fastest of {len(times)} {fastest:.1f}",
        flush=True,
    )
    return total


def compare_books(folder: Path, numbers: list[int]) -> Iterator[str]:
    """Measure both sides after each of these numbers of trials; yields the ratios."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    journal = JournalStorage(JournalFileBackend(str(folder / "stock.journal")))
    sides: dict[str, Books] = {
        "galaxytune": OwnBooks(folder),
        "OptunaSearch + ASHA in memory": StockBooks(),
        "OptunaSearch + ASHA on Optuna's journal": StockBooks(journal),
    }
    for number in numbers:
        ours, *theirs = (measure(books, number, name) for name, books in sides.items())
        for name, value in zip(list(sides)[1:], theirs):
            yield (
                f"suggest + report + record after {number} trials: {name} takes "
                f"{value / ours:.2f} times as long"
            )
