"""The choice of the sampler that draws a study's configs; docs/choices.md gives the reasons."""

from collections.abc import Sequence

from optuna.samplers import BaseSampler

from galaxytune.halving import first_grace, rung_epochs
from galaxytune.plan import StudyPlan
from galaxytune.sampling.carried_trials import CarriedTrials
from galaxytune.sampling.curve_sampler import CurveSampler, CurveSpace
from galaxytune.sampling.earlier_model import EarlierModel
from galaxytune.sampling.failure_aware_sampler import FailureAwareSampler
from galaxytune.sampling.search_cube import SearchCube
from galaxytune.sampling.tpe import QuickTPESampler
from galaxytune.study import EarlierTrial
from search_spaces.declaration import SearchSpace

_NUM_RANDOM_WITH_PRIOR = 2
RANDOM_SHARE = 0.25  # probability that a config is drawn at random


def study_sampler(
    plan: StudyPlan, num_drawn: int = 0, earlier: Sequence[EarlierTrial] = ()
) -> BaseSampler:
    """Return a new sampler for the study of a plan.

    The sampler models learning curves (see `CurveSampler`), and TPE draws what the model does not.
    TPE draws everything if the plan has two objectives, a limit on the tree residual, or a grid.
    Configs are drawn at random until a quarter of the plan's trials have ended, but at least 4 and
    at most 10 trials; a quarter of the later configs are drawn at random, too. Failed and waiting
    trials are shown to the sampler as `FailureAwareSampler` says.

    num_drawn: number of trials that the study holds already, 0 for a new study. The number only
    changes the random seed, which follows from it and from the plan's seed. earlier: trials of
    earlier studies, whose RMSEs are the prior mean of the model as far as the search spaces agree;
    only two trials are then drawn at random before the model draws. The sampler may serve only one
    study.
    """
    # without `num_drawn`, a resumed study would repeat its first random draws
    seed = (plan.seed + 1_000_003 * num_drawn) % 2**32
    tpe = QuickTPESampler(
        # with Optuna's own 10, a short study would have random draws only
        num_random=_NUM_RANDOM_WITH_PRIOR if earlier else max(4, min(10, plan.trials // 4)),
        random_share=RANDOM_SHARE,
        seed=seed,
    )
    if plan.has_two_objectives or plan.max_tree_residual is not None or plan.grid:
        return FailureAwareSampler(tpe)
    first = plan.grace_epochs or first_grace(plan.longest_epochs)
    spaces = {}
    for name, space in plan.spaces.items():
        epochs = rung_epochs(first, space.published.epochs, plan.reduction_factor)
        cube = SearchCube(space)
        spaces[name] = CurveSpace(cube, epochs, _prior(space, cube, epochs, earlier))
    return FailureAwareSampler(CurveSampler(tpe, spaces, seed=seed))


def _prior(
    space: SearchSpace, cube: SearchCube, rungs: Sequence[int], earlier: Sequence[EarlierTrial]
) -> EarlierModel | None:
    """Return what earlier trials say about the configs of a search space, or None for nothing."""
    if not earlier:
        return None
    model = EarlierModel(CarriedTrials(space, earlier), cube, rungs)
    return model if model.teaches else None
