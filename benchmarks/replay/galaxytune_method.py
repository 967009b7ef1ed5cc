"""galaxytune's default search, its own modules in simulated time, over Optuna in memory."""

import math
from collections.abc import Callable, Sequence

from optuna.trial import Trial, TrialState

from benchmarks.replay.search_plan import quiet_study, search_plan, without_prefix
from benchmarks.replay.simulation import Job, Method
from galaxytune.halving import (
    MOST_MEASURED,
    Rungs,
    choose_grace,
    first_grace,
    rung_epochs,
    values_at_rungs,
)
from galaxytune.halving.rungs import lowest
from galaxytune.plan import StudyPlan, first_trials
from galaxytune.sampling import (
    BLAMED,
    CarriedTrials,
    draw_config,
    enqueue_first,
    study_sampler,
)
from galaxytune.study import EarlierTrial
from trainables.training import EpochReport

_ENDLESS = 10**9  # trials


class GalaxytuneMethod(Method):
    """The sampler, the proposals and the rungs of a study, joined as its engine joins them."""

    def __init__(self, plan: StudyPlan, earlier: Sequence[EarlierTrial] = ()) -> None:
        """Begin with the published config; earlier: trials of studies from which to learn."""
        self._plan = plan
        self._space = plan.spaces[plan.architectures[0]]
        self._study = quiet_study(study_sampler(plan, earlier=earlier))
        learned = {self._space.architecture: CarriedTrials(self._space, earlier).best()}
        enqueue_first(self._study, plan, first=first_trials(plan, learned))
        self._trials: dict[str, Trial] = {}
        self._curves: dict[str, list[EpochReport]] = {}
        self._whole: list[str] = []
        self._first_grace = first_grace(plan.longest_epochs)
        self._rungs = self._new_rungs(plan.grace_epochs or self._first_grace)

    def next_job(self) -> Job:
        """The furthest trial that may go on, or a new one."""
        for trial_id in self._rungs.promotable()[:1]:
            del self._rungs.paused[trial_id]
            return self._job(self._trials[trial_id], len(self._curves[trial_id]) + 1)
        trial = draw_config(self._study.ask(), self._plan)
        self._trials[str(trial.number)] = trial
        return self._job(trial, 1)

    def goes_on(self, trial: int, epoch: int, rmse: float) -> bool:
        """Record the epoch; let the trial pause where the rungs do."""
        trial_id, rungs = str(trial), self._rungs
        own, curve = self._trials[trial_id], self._curves.setdefault(trial_id, [])
        curve.append(_report(epoch, rmse))
        own.report(rmse, epoch)
        if not own.user_attrs["published"]:
            rungs.enter(trial_id, curve)
        if epoch == self._plan.longest_epochs:
            self._study.tell(own, lowest(curve, epoch))
            self._whole.append(trial_id)
            self._measure()
            return False
        if own.user_attrs["published"] or rungs.may_pass(trial_id, epoch):
            return True
        rungs.paused[trial_id] = epoch
        for hopeless in rungs.hopeless(_ENDLESS):
            del rungs.paused[hopeless]
            self._study.tell(self._trials[hopeless], state=TrialState.PRUNED)
        return False

    def failed(self, trial: int) -> None:
        """The config is to blame."""
        self._trials[str(trial)].set_user_attr(BLAMED, True)
        self._study.tell(self._trials[str(trial)], state=TrialState.FAIL)

    def _job(self, trial: Trial, first_epoch: int) -> Job:
        return Job(trial.number, without_prefix(self._space, trial.params), first_epoch)

    def _measure(self) -> None:
        if len(self._whole) > MOST_MEASURED:
            return
        longest, factor = self._plan.longest_epochs, self._plan.reduction_factor
        epochs = rung_epochs(self._first_grace, longest, factor)
        values = [values_at_rungs(c, epochs, is_whole=False) for c in self._curves.values()]
        grace = choose_grace(values, epochs, num_whole=len(self._whole)).grace_epochs
        if grace != min(self._rungs.counts, default=None):
            paused = self._rungs.paused
            self._rungs = self._new_rungs(grace)
            self._rungs.paused = paused

    def _new_rungs(self, grace_epochs: int | None) -> Rungs:
        longest = self._plan.longest_epochs
        rungs = Rungs(
            grace_epochs=grace_epochs or longest,
            reduction_factor=self._plan.reduction_factor,
            max_epochs=longest,
        )
        for trial_id, curve in self._curves.items():
            if not self._trials[trial_id].user_attrs["published"]:
                rungs.enter(trial_id, curve)
        return rungs


def _report(epoch: int, rmse: float) -> EpochReport:
    """Return a report that holds the validation RMSE alone, which is all that rungs look at."""
    unknown = math.nan
    return EpochReport(
        epoch=epoch,
        train_loss=unknown,
        train_rmse=unknown,
        val_loss=unknown,
        val_rmse=rmse,
        val_tree_residual=unknown,
        learning_rate=unknown,
        seconds=unknown,
    )


def galaxytune_default(architecture: str, num_epochs: int, seed: int) -> GalaxytuneMethod:
    """A study of 100 trials as a user starts it, but that it goes on until time is up."""
    return taught(())(architecture, num_epochs, seed)


def taught(
    earlier: Sequence[EarlierTrial],
) -> Callable[[str, int, int], GalaxytuneMethod]:
    """Return a maker of the same searches, which also learn from trials of earlier studies."""

    def make(architecture: str, num_epochs: int, seed: int) -> GalaxytuneMethod:
        plan = search_plan(architecture, trials=100, epochs=num_epochs, seed=seed)
        return GalaxytuneMethod(plan, earlier)

    return make
