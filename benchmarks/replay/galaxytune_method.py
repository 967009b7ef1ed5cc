"""galaxytune's default search, its own modules in simulated time, over Optuna in memory."""

from optuna.trial import Trial, TrialState

from benchmarks.replay.search_plan import quiet_study, search_plan
from benchmarks.replay.simulation import Job, Method
from galaxytune.halving import MOST_MEASURED, Rungs, choose_grace, first_grace, lowest
from galaxytune.optuna_journal import study_sampler
from galaxytune.penalising_sampler import BLAMED
from galaxytune.proposals import draw_config, enqueue_published
from galaxytune.study_plan import StudyPlan


class GalaxytuneMethod(Method):
    """The sampler, the proposals and the rungs of a study, joined as its scheduler joins them."""

    def __init__(self, plan: StudyPlan) -> None:
        """Begin with the published config."""
        self._plan = plan
        self._prefix = f"{plan.architectures[0]}."
        self._study = quiet_study(study_sampler(plan))
        enqueue_published(self._study, plan)
        self._trials: dict[int, Trial] = {}
        self._curves: dict[str, list[dict[str, float]]] = {}
        self._whole: list[str] = []
        self._rungs: Rungs | None = None
        self._first_grace = first_grace(plan.longest_epochs)
        self._grace: int | None = None
        self._begin(plan.grace_epochs or self._first_grace)

    def next_job(self) -> Job:
        """A new trial."""
        trial = draw_config(self._study.ask(), self._plan)
        self._trials[trial.number] = trial
        config = {name.removeprefix(self._prefix): v for name, v in trial.params.items()}
        return Job(trial.number, config)

    def goes_on(self, trial: int, epoch: int, rmse: float) -> bool:
        """Record the epoch; stop the trial where the rungs do."""
        own, curve = self._trials[trial], self._curves.setdefault(str(trial), [])
        curve.append({"val_rmse": rmse})
        own.report(rmse, epoch)
        if epoch == self._plan.longest_epochs:
            self._study.tell(own, lowest(curve, epoch))
            self._whole.append(str(trial))
            self._measure()
            return False
        if self._passes(trial, epoch) or own.user_attrs["published"]:
            return True
        self._study.tell(own, state=TrialState.PRUNED)
        return False

    def failed(self, trial: int) -> None:
        """The config is to blame."""
        self._trials[trial].set_user_attr(BLAMED, True)
        self._study.tell(self._trials[trial], state=TrialState.FAIL)

    def _passes(self, trial: int, epoch: int) -> bool:
        value = lowest(self._curves[str(trial)], epoch)
        return self._rungs is None or self._rungs.may_continue(str(trial), epoch, value)

    def _measure(self) -> None:
        if len(self._whole) > MOST_MEASURED:
            return
        grace = choose_grace(
            [self._curves[i] for i in self._whole],
            first_epoch=self._first_grace,
            reduction_factor=self._plan.reduction_factor,
        ).grace_epochs
        if grace != self._grace:
            self._begin(grace)

    def _begin(self, grace_epochs: int | None) -> None:
        self._grace, self._rungs = grace_epochs, None
        if grace_epochs is not None:
            self._rungs = Rungs(
                grace_epochs=grace_epochs,
                reduction_factor=self._plan.reduction_factor,
                max_epochs=self._plan.longest_epochs,
            )
            self._rungs.enter(self._curves)


def galaxytune_default(architecture: str, num_epochs: int, seed: int) -> GalaxytuneMethod:
    """A study of 100 trials as a user starts it, but that it goes on until time is up."""
    return GalaxytuneMethod(search_plan(architecture, trials=100, epochs=num_epochs, seed=seed))
