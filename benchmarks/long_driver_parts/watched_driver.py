"""One driver of benchmarks/long_driver.py, in a process of its own, which is watched from inside.

    python benchmarks/long_driver_parts/watched_driver.py galaxytune|stock FOLDER --trials 5000
        --every 250

FOLDER holds the galaxies `g.npz` and gets `watched.json`.
"""

import argparse
import functools
import itertools
import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from benchmarks.simulated_training import make_study, search_space, simulated_reports
from search_spaces.declaration import SearchSpace

WATCHED = "watched.json"
EPOCHS = 9
_WORKERS = 2


@dataclass
class Watch:
    """What is noted of a driver.

    every: the number of new trials from one look at the memory to the next. seconds: the time of
    each suggestion of a new trial. memory: pairs of the number of trials and the resident memory
    of this process in MB (10^6 bytes).
    """

    every: int
    seconds: list[float] = field(default_factory=list)
    memory: list[tuple[int, float]] = field(default_factory=list)

    def suggestions_of(self, searcher: type, is_new: Callable[[Any], bool]) -> None:
        """Watch the method `suggest` of a searcher of Ray Tune from now on.

        is_new: returns whether a suggestion is that of a new trial; others are not noted.
        """
        suggest = searcher.suggest  # type: ignore[attr-defined]

        def watched(own: Any, trial_id: str) -> Any:
            began = time.perf_counter()
            suggested = suggest(own, trial_id)
            if is_new(suggested):
                self._note(time.perf_counter() - began)
            return suggested

        searcher.suggest = watched  # type: ignore[attr-defined]

    def _note(self, seconds: float) -> None:
        """Note the time of a suggestion, and the memory after every so many of them."""
        self.seconds.append(seconds)
        if len(self.seconds) % self.every == 0:
            resident = psutil.Process().memory_info().rss / 1e6
            self.memory.append((len(self.seconds), resident))


def train_own(parameters: dict[str, Any]) -> None:
    """Report the epochs that a study has not heard of a trial."""
    from ray import tune  # noqa: TID251

    task = parameters["task"]
    reports = simulated_reports(task.trial_id, task.config["learning_rate"], EPOCHS)
    for report in itertools.islice(reports, task.known_epochs, None):
        tune.report(report)


def _is_new_task(suggested: Any) -> bool:
    """Return whether galaxytune's searcher has handed out a trial that has not begun before."""
    return isinstance(suggested, dict) and suggested["task"].known_epochs == 0


def drive_own(folder: Path, trials: int, watch: Watch) -> None:
    """Run a galaxytune study with a plan's defaults."""
    from galaxytune.cluster import ClusterAddress
    from galaxytune.driver import run_study
    from galaxytune.driver.tune_searcher import StudySearcher

    watch.suggestions_of(StudySearcher, _is_new_task)
    study = make_study(folder, trials=trials, epochs=EPOCHS)
    run_study(study, ClusterAddress(local_cpus=_WORKERS), trainable=train_own)


def train_stock(values: dict[str, Any]) -> None:
    """Report the epochs of a trial of stock Ray Tune."""
    from ray import tune  # noqa: TID251

    trial = tune.get_context().get_trial_id()
    rate = values[f"{search_space().prefix}learning_rate"]
    for report in simulated_reports(trial, rate, EPOCHS):
        tune.report(report)


def _drawn(trial: Any, space: SearchSpace) -> None:
    """Draw from the search space, as a define-by-run function of OptunaSearch."""
    space.draw(trial)


def drive_stock(folder: Path, trials: int, watch: Watch) -> None:
    """Run OptunaSearch, its study in memory, with ASHA, both with their defaults."""
    import optuna
    import ray  # noqa: TID251
    from ray import tune  # noqa: TID251
    from ray.tune.schedulers import ASHAScheduler  # noqa: TID251
    from ray.tune.search.optuna import OptunaSearch  # noqa: TID251

    watch.suggestions_of(OptunaSearch, lambda suggested: suggested is not None)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    ray.init(
        address="local",
        num_cpus=_WORKERS,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
    )
    metric: dict[str, Any] = {"metric": "val_rmse", "mode": "min"}
    tuner = tune.Tuner(
        tune.with_resources(train_stock, {"cpu": 1}),
        tune_config=tune.TuneConfig(
            search_alg=OptunaSearch(
                functools.partial(_drawn, space=search_space()), seed=0, **metric
            ),
            scheduler=ASHAScheduler(max_t=EPOCHS, **metric),
            num_samples=trials,
            max_concurrent_trials=_WORKERS,
            reuse_actors=True,
        ),
        run_config=tune.RunConfig(name="stock", storage_path=str(folder / "ray"), verbose=0),
    )
    tuner.fit()
    ray.shutdown()


DRIVERS: dict[str, Callable[[Path, int, Watch], None]] = {
    "galaxytune": drive_own,
    "stock": drive_stock,
}


def main() -> None:
    """Run one driver and write what was noted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("method", choices=DRIVERS)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--trials", type=int, required=True)
    parser.add_argument("--every", type=int, required=True)
    arguments = parser.parse_args()
    watch = Watch(arguments.every)
    DRIVERS[arguments.method](arguments.folder, arguments.trials, watch)
    noted = {"seconds": watch.seconds, "memory": watch.memory}
    (arguments.folder / WATCHED).write_text(json.dumps(noted))


if __name__ == "__main__":
    main()
