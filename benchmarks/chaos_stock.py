"""The same kills for the stock stack: OptunaSearch on SQLite, ASHA, WandbLoggerCallback.

    python benchmarks/chaos_stock.py [--kills 10]

Its driver trains what benchmarks/chaos.py trains, is SIGKILLed at random moments, and continues
by Tuner.restore. The last lines count what is lost, doubled or left running.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.driven_studies import end_driver, galaxytune, wait_at_random

ROOT = Path(__file__).resolve().parents[1]
TRIALS, EPOCHS = 24, 9
_SECONDS_TO_END = 400


def train(values: dict[str, Any]) -> None:
    """Train what a galaxytune trial of chaos.py trains, and report in Tune's plain way."""
    from ray import tune  # noqa: TID251

    from search_spaces.declaration import config_from_values
    from trainables.device import training_device
    from trainables.galaxies import open_galaxies, split_galaxies
    from trainables.training import TrainingRun

    galaxies = open_galaxies(Path(values.pop("data")))
    fixed = {"architecture": "simple_cnn", "width": 0.2, "batch_size": 16, "epochs": EPOCHS}
    config = config_from_values({**fixed, **values})
    run = TrainingRun(config, galaxies, split_galaxies(galaxies, "hash"), training_device(False))
    while run.finished is None:
        tune.report(run.run_epoch().as_values())


def drive(folder: Path) -> None:
    """Start the experiment, or restore it."""
    import optuna
    from ray import tune  # noqa: TID251
    from ray.air.integrations.wandb import WandbLoggerCallback  # noqa: TID251
    from ray.tune.schedulers import ASHAScheduler  # noqa: TID251
    from ray.tune.search.optuna import OptunaSearch  # noqa: TID251

    resources = tune.with_resources(train, {"cpu": 1})
    place = folder / "ray" / "stock"
    if place.exists() and tune.Tuner.can_restore(str(place)):
        tuner = tune.Tuner.restore(str(place), trainable=resources, resume_unfinished=True)
    else:
        storage = optuna.storages.RDBStorage(f"sqlite:///{folder / 'optuna.db'}")
        search = OptunaSearch(metric="val_rmse", mode="min", study_name="stock", storage=storage)
        tuner = tune.Tuner(
            resources,
            param_space={
                "data": str(folder / "g.npz"),
                "learning_rate": tune.loguniform(1e-4, 1e-2),
                "dropout": tune.uniform(0, 0.5),
            },
            tune_config=tune.TuneConfig(
                search_alg=search,
                scheduler=ASHAScheduler(
                    metric="val_rmse", mode="min", max_t=EPOCHS, grace_period=3, reduction_factor=3
                ),
                num_samples=TRIALS,
                max_concurrent_trials=2,
            ),
            run_config=tune.RunConfig(
                name="stock",
                storage_path=str(folder / "ray"),
                verbose=0,
                callbacks=[WandbLoggerCallback(project="stock")],
                failure_config=tune.FailureConfig(max_failures=50),
            ),
        )
    tuner.fit()


def start(folder: Path) -> subprocess.Popen:
    """A driver of its own process, on two CPUs, W&B offline."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "WANDB_"))}
    paths = os.pathsep.join((str(ROOT), str(ROOT / "platform")))
    more = {"WANDB_MODE": "offline", "PYTHONPATH": paths, "WANDB_DIR": str(folder)}
    log = (folder / "stock.log").open("ab")
    command = [sys.executable, __file__, "--driver", str(folder)]
    return subprocess.Popen(command, cwd=folder, env=kept | more, stdout=log, stderr=log)


def inspect(folder: Path, ended_well: bool) -> dict[str, int]:
    """Return what the experiment holds after its last restore, as counts by name."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage = optuna.storages.RDBStorage(f"sqlite:///{folder / 'optuna.db'}")
    studies = optuna.get_all_study_summaries(storage)  # none if Optuna was never told of one
    trials = optuna.load_study(study_name="stock", storage=storage).trials if studies else []
    doubled = 0
    for file in folder.glob("ray/stock/*/result.json"):
        lines = [line for line in file.read_text().splitlines() if line.strip()]
        epochs = Counter(json.loads(line)["epoch"] for line in lines)
        doubled += any(count > 1 for count in epochs.values())
    runs = Counter(p.name.rpartition("-")[2] for p in folder.rglob("offline-run-*"))
    early = [
        t
        for t in trials
        if t.state.name == "COMPLETE" and max(t.intermediate_values or [0]) < EPOCHS - 1
    ]
    return {
        "experiments that cannot be resumed": int(not ended_well),
        "trials left running in Optuna": sum(t.state.name == "RUNNING" for t in trials),
        "trials stopped early but told as complete": len(early),
        "trials beyond or short of those asked for": abs(len(trials) - TRIALS),
        "trials with doubled epochs": doubled,
        "trials with several W&B runs": sum(count > 1 for count in runs.values()),
    }


def hurt_stock(folder: Path, num_kills: int) -> None:
    """Kill and restore the stock stack's driver so often, let it end, print what is left."""
    for kill in range(1, num_kills + 1):
        driver = start(folder)
        wait_at_random(driver, folder / "ray" / "stock", "*/result.json")
        ended = driver.poll()
        end_driver(driver)
        print(f"stock: kill {kill} of {num_kills}, driver {ended or 'alive'}", flush=True)
    driver = start(folder)
    try:
        ended_well = driver.wait(timeout=_SECONDS_TO_END) == 0
    except subprocess.TimeoutExpired:
        end_driver(driver)
        ended_well = False
    if not ended_well:
        print("its last words:", (folder / "stock.log").read_text().splitlines()[-3:])
    print("stock: " + ", ".join(f"{v} {k}" for k, v in inspect(folder, ended_well).items()))


def main() -> None:
    """Kill, restore, count."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--driver", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.driver is not None:
        drive(arguments.driver)
        return
    random.seed(arguments.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = galaxytune("data", "simulate", "g.npz", "--num-galaxies", 300, cwd=folder)
        assert made.wait() == 0
        hurt_stock(folder, arguments.kills)


if __name__ == "__main__":
    main()
