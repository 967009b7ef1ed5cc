"""Ray Tune's OptunaSearch with ASHA, or random configs with ASHA, around the same trainings.

Sampler and scheduler have Ray's defaults: TPE, grace period 1 and reduction factor 4. All else is
what galaxytune has itself: the search space, the split of the galaxies, the training, the local
Ray with its variables, and workers that are used again. A search by these methods therefore waits
less than it does with Ray as shipped, and keeps no checkpoints.
"""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import optuna
import torch
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from ray import tune  # noqa: TID251  a peer
from ray.tune.schedulers import ASHAScheduler  # noqa: TID251  a peer
from ray.tune.search.optuna import OptunaSearch  # noqa: TID251  a peer

from benchmarks.real_search_parts.asked_search import RANDOM, AskedSearch
from benchmarks.real_search_parts.heard_search import HeardSearch
from galaxytune.cluster import ClusterAddress, ray_connection
from search_spaces.declaration import SearchSpace, config_from_values
from trainables.device import memory_share, training_device
from trainables.galaxies import (
    Galaxies,
    Split,
    load_split,
    open_galaxies,
    save_split,
    split_galaxies,
)
from trainables.training import TrainingRun

_METRIC: dict[str, Any] = {"metric": "val_rmse", "mode": "min"}
_CPUS = 1  # of a trial


@functools.cache
def _galaxies(data: str, split: str) -> tuple[Galaxies, Split]:
    """Return the galaxies and the split, which a worker opens once."""
    return open_galaxies(Path(data)), load_split(Path(split))


def train(values: dict[str, Any]) -> None:
    """Train a config on a CPU, and report each epoch to Tune.

    values: the keys `config`, `data` and `split`; other keys are not read. A training that
    diverges raises an error, so that Tune counts the trial as failed.
    """
    torch.set_num_threads(_CPUS)
    galaxies, split = _galaxies(values["data"], values["split"])
    config = config_from_values(values["config"])
    device, share = training_device(False), memory_share(_CPUS)
    run = TrainingRun(config, galaxies, split, device, memory_share=share)
    while run.finished is None:
        tune.report(run.run_epoch().as_values())


def _drawn(trial: Any, space: SearchSpace, constants: dict[str, Any]) -> dict[str, Any]:
    """Draw a config from the space; return it with the trial's number and the constants.

    The first trial has the published config, which `points_to_evaluate` queues.
    """
    config = space.draw(trial, published=trial.number == 0)
    return {"config": config.model_dump(mode="json"), "number": trial.number, **constants}


class Listener(tune.Callback):
    """A callback of Tune that passes starts and epochs of trials to a HeardSearch."""

    def __init__(self, heard: HeardSearch) -> None:
        """Take the search to which everything is passed."""
        self._heard = heard

    def on_trial_result(
        self, iteration: int, trials: Sequence[Any], trial: Any, result: dict[str, Any], **_: Any
    ) -> None:
        """Pass the epoch and the trial's config."""
        number = trial.config["number"]
        self._heard.configs[number] = trial.config["config"]
        self._heard.report(number, result["epoch"], result["val_rmse"], result["seconds"])


def _sampler(asked: AskedSearch) -> BaseSampler:
    """Return the sampler of Optuna: random, or the one that OptunaSearch has by default."""
    if asked.method == RANDOM:
        return RandomSampler(seed=asked.seed)
    return TPESampler(seed=asked.seed)


def run_tune_search(asked: AskedSearch, folder: Path, heard: HeardSearch) -> None:
    """Run the search in a local Ray; its files are written into `folder`."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    plan, space = asked.plan(), asked.space()
    galaxies, split_file = open_galaxies(Path(asked.data)), folder / "split.npz"
    rows = split_galaxies(galaxies, plan.split, plan.num_galaxies)
    save_split(split_file, rows, galaxies.ids)
    constants = {"data": str(Path(asked.data).absolute()), "split": str(split_file)}
    search = OptunaSearch(
        functools.partial(_drawn, space=space, constants=constants),
        points_to_evaluate=[space.params(config) for config in asked.first_configs()],
        sampler=_sampler(asked),
        **_METRIC,
    )
    with ray_connection(ClusterAddress(local_cpus=asked.workers)):
        tuner = tune.Tuner(
            tune.with_resources(train, {"cpu": _CPUS}),
            tune_config=tune.TuneConfig(
                search_alg=search,
                scheduler=ASHAScheduler(max_t=asked.epochs, **_METRIC),
                num_samples=asked.trials,
                max_concurrent_trials=asked.workers,
                reuse_actors=True,
                trial_dirname_creator=lambda trial: str(trial.trial_id),
            ),
            run_config=tune.RunConfig(
                name="tune", storage_path=str(folder), verbose=0, callbacks=[Listener(heard)]
            ),
        )
        tuner.fit()
