"""One experiment of benchmarks/overhead.py, in a process of its own: one CPU, one trial at a time.

    python benchmarks/overhead_driver.py FOLDER (galaxytune | stock | stock-reused) --trials 12

Both sides open the same galaxies and build the same network by the same functions, draw from the
same search space and stop nobody. The folder holds `g.npz` and `split.npz`, and gets the marks.
"""

import argparse
import functools
import logging
import random
from pathlib import Path
from typing import Any

from benchmarks.simulated_training import (
    EPOCHS,
    MARKS,
    NETWORK,
    drawn,
    epoch_reports,
    make_study,
    pretend,
    search_space,
)


def train_own(parameters: dict[str, Any]) -> None:
    """Do what trainables.trial does up to the first step, then report without training."""
    import torch
    from ray import tune  # noqa: TID251

    from search_spaces.declaration import config_from_values
    from trainables.device import training_device
    from trainables.training import TrainingRun
    from trainables.trial.tune_trainable import _galaxies

    task = parameters["task"]
    torch.set_num_threads(task.num_threads)
    galaxies, split = _galaxies(task.data, task.split)
    TrainingRun(config_from_values(task.config), galaxies, split, training_device(task.uses_gpu))
    reports = epoch_reports(random.random(), task.config["epochs"])
    pretend(Path(task.data).with_name(MARKS), reports, tune.report)


def run_own(folder: Path, trials: int) -> None:
    """Run a galaxytune study, with the progress that the command line shows."""
    from galaxytune.cluster import ClusterAddress
    from galaxytune.driver import run_study
    from galaxytune.tracking import SearchProgress

    study = make_study(folder, trials=trials, epochs=EPOCHS, grace_epochs=EPOCHS)
    where, observers = ClusterAddress(local_cpus=1), [SearchProgress()]
    run_study(study, where, observers=observers, trainable=train_own)


def train_stock(values: dict[str, Any]) -> None:
    """Do what a user of Ray Tune writes: load the data, build the network, train, report."""
    import torch
    from ray import tune  # noqa: TID251

    from search_spaces.declaration import config_from_values
    from trainables.device import training_device
    from trainables.galaxies import load_split, open_galaxies
    from trainables.training import TrainingRun

    folder = Path(values["folder"])
    torch.set_num_threads(1)
    galaxies, split = open_galaxies(folder / "g.npz"), load_split(folder / "split.npz")
    rate = values[f"{search_space().prefix}learning_rate"]
    config = config_from_values(NETWORK | {"learning_rate": rate})
    TrainingRun(config, galaxies, split, training_device(False))
    pretend(folder / MARKS, epoch_reports(random.random(), EPOCHS), tune.report)


def run_stock(folder: Path, trials: int, reuse_actors: bool) -> None:
    """OptunaSearch, its study in memory, with ASHA."""
    import optuna
    import ray  # noqa: TID251
    from ray import tune  # noqa: TID251
    from ray.tune.schedulers import ASHAScheduler  # noqa: TID251
    from ray.tune.search.optuna import OptunaSearch  # noqa: TID251

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    ray.init(
        address="local",
        num_cpus=1,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
    )
    search = OptunaSearch(
        space=functools.partial(drawn, folder=str(folder)),
        metric="val_rmse",
        mode="min",
    )
    asha = ASHAScheduler(metric="val_rmse", mode="min", max_t=EPOCHS, grace_period=EPOCHS)
    tuner = tune.Tuner(
        tune.with_resources(train_stock, {"cpu": 1}),
        tune_config=tune.TuneConfig(
            search_alg=search,
            scheduler=asha,
            num_samples=trials,
            max_concurrent_trials=1,
            reuse_actors=reuse_actors,
        ),
        run_config=tune.RunConfig(name="stock", storage_path=str(folder / "ray"), verbose=0),
    )
    tuner.fit()
    ray.shutdown()


def main() -> None:
    """Run one experiment."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("side", choices=("galaxytune", "stock", "stock-reused"))
    parser.add_argument("--trials", type=int, default=12)
    arguments = parser.parse_args()
    if arguments.side == "galaxytune":
        run_own(arguments.folder, arguments.trials)
    else:
        run_stock(arguments.folder, arguments.trials, arguments.side == "stock-reused")


if __name__ == "__main__":
    main()
