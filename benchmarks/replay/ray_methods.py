"""Ray Tune's OptunaSearch and ASHA as shipped, called in the order in which Tune calls them."""

from types import SimpleNamespace
from typing import Any

import optuna
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from ray.tune.schedulers import ASHAScheduler, TrialScheduler  # noqa: TID251  a peer
from ray.tune.search.optuna import OptunaSearch  # noqa: TID251  a peer

from benchmarks.replay.search_plan import search_space, without_prefix
from benchmarks.replay.simulation import Job, Method

_METRIC, _MODE, _EPOCH = "val_rmse", "min", "training_iteration"
_CONTROLLER: Any = None  # ASHA does not look at it


class RayMethod(Method):
    """ASHA with Ray's defaults (grace period 1, reduction factor 4) over a sampler of Optuna."""

    def __init__(self, architecture: str, num_epochs: int, sampler: BaseSampler) -> None:
        """A searcher with a define-by-run space, and a scheduler."""
        self._space = search_space(architecture)

        def drawn(trial: Any) -> None:
            self._space.draw(trial)

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._searcher = OptunaSearch(drawn, metric=_METRIC, mode=_MODE, sampler=sampler)
        self._scheduler = ASHAScheduler(metric=_METRIC, mode=_MODE, max_t=num_epochs)
        self._num_trials = 0

    def next_job(self) -> Job:
        """A new trial."""
        number = self._num_trials
        self._num_trials += 1
        config = self._searcher.suggest(str(number)) or {}
        self._scheduler.on_trial_add(_CONTROLLER, _trial(number))
        return Job(number, without_prefix(self._space, config))

    def goes_on(self, trial: int, epoch: int, rmse: float) -> bool:
        """The scheduler first; the searcher hears of an epoch only if the trial goes on."""
        result = {_METRIC: rmse, _EPOCH: epoch}
        decision = self._scheduler.on_trial_result(_CONTROLLER, _trial(trial), result)
        if decision == TrialScheduler.CONTINUE:
            self._searcher.on_trial_result(str(trial), result)
            return True
        self._scheduler.on_trial_complete(_CONTROLLER, _trial(trial), result)
        self._searcher.on_trial_complete(str(trial), result)
        return False

    def failed(self, trial: int) -> None:
        """An exception in the trainable."""
        self._scheduler.on_trial_error(_CONTROLLER, _trial(trial))
        self._searcher.on_trial_complete(str(trial), error=True)


def _trial(number: int) -> Any:
    """All that ASHA looks at of a trial."""
    return SimpleNamespace(trial_id=str(number))


def random_asha(architecture: str, num_epochs: int, seed: int) -> RayMethod:
    """Random configs under ASHA."""
    return RayMethod(architecture, num_epochs, RandomSampler(seed=seed))


def optuna_search_asha(architecture: str, num_epochs: int, seed: int) -> RayMethod:
    """OptunaSearch's own sampler, TPE, under ASHA."""
    return RayMethod(architecture, num_epochs, TPESampler(seed=seed))
