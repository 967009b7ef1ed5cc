"""Searches that Optuna's own users run: random, TPE to the end, TPE with the Hyperband pruner."""

from optuna.pruners import BasePruner, HyperbandPruner, NopPruner
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import Trial, TrialState

from benchmarks.replay.search_plan import quiet_study, search_space, without_prefix
from benchmarks.replay.simulation import Job, Method


class OptunaMethod(Method):
    """Ask, report each epoch, prune if Optuna says so, tell the lowest RMSE."""

    def __init__(
        self,
        architecture: str,
        num_epochs: int,
        sampler: BaseSampler,
        pruner: BasePruner,
        name: str | None = None,
    ) -> None:
        """A study in memory; Hyperband draws its brackets by the study's `name`."""
        self._space = search_space(architecture)
        self._num_epochs = num_epochs
        self._study = quiet_study(sampler, pruner=pruner, study_name=name)
        self._trials: dict[int, Trial] = {}
        self._lowest: dict[int, float] = {}

    def next_job(self) -> Job:
        """A new trial."""
        trial = self._study.ask()
        self._space.draw(trial)
        self._trials[trial.number] = trial
        return Job(trial.number, without_prefix(self._space, trial.params))

    def goes_on(self, trial: int, epoch: int, rmse: float) -> bool:
        """Report; end it when it is pruned or whole."""
        own = self._trials[trial]
        self._lowest[trial] = min(rmse, self._lowest.get(trial, rmse))
        own.report(rmse, epoch)
        if epoch == self._num_epochs:
            self._study.tell(own, self._lowest[trial])
            return False
        if own.should_prune():
            self._study.tell(own, state=TrialState.PRUNED)
            return False
        return True

    def failed(self, trial: int) -> None:
        """An exception in the objective: FAIL."""
        self._study.tell(self._trials[trial], state=TrialState.FAIL)


def random_search(architecture: str, num_epochs: int, seed: int) -> OptunaMethod:
    """Random configs, each trained to the end."""
    return OptunaMethod(architecture, num_epochs, RandomSampler(seed=seed), NopPruner())


def full_tpe(architecture: str, num_epochs: int, seed: int) -> OptunaMethod:
    """Optuna's default sampler, each config trained to the end."""
    return OptunaMethod(architecture, num_epochs, TPESampler(seed=seed), NopPruner())


def tpe_hyperband(architecture: str, num_epochs: int, seed: int) -> OptunaMethod:
    """Optuna's default sampler with its Hyperband pruner, reduction factor 3."""
    pruner = HyperbandPruner(min_resource=1, max_resource=num_epochs, reduction_factor=3)
    sampler = TPESampler(seed=seed)
    return OptunaMethod(architecture, num_epochs, sampler, pruner, name=f"hyperband {seed}")
