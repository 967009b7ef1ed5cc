"""Which sampler draws a study's configs; docs/choices.md gives the reasons."""

from optuna.samplers import BaseSampler

from galaxytune.halving import first_grace, rung_epochs
from galaxytune.plan import StudyPlan
from galaxytune.sampling.curve_sampler import CurveSampler, CurveSpace
from galaxytune.sampling.failure_aware_sampler import FailureAwareSampler
from galaxytune.sampling.search_cube import SearchCube
from galaxytune.sampling.tpe import QuickTPESampler

RANDOM_SHARE = 0.25  # of the draws


def study_sampler(plan: StudyPlan, num_drawn: int = 0) -> BaseSampler:
    """Return the sampler of a study that has drawn `num_drawn` configs already.

    The sampler models learning curves, or is TPE where such a model does not apply.
    """
    # a resumed sampler must not draw its first draws again
    seed = (plan.seed + 1_000_003 * num_drawn) % 2**32
    tpe = QuickTPESampler(
        # Optuna's own 10 would leave a short study nothing but random draws
        num_random=max(4, min(10, plan.trials // 4)),
        random_share=RANDOM_SHARE,
        seed=seed,
    )
    if plan.has_two_objectives or plan.max_tree_residual is not None or plan.grid:
        return FailureAwareSampler(tpe)
    first = plan.grace_epochs or first_grace(plan.longest_epochs)
    spaces = {}
    for name, space in plan.spaces.items():
        epochs = rung_epochs(first, space.published.epochs, plan.reduction_factor)
        spaces[name] = CurveSpace(SearchCube(space), epochs)
    return FailureAwareSampler(CurveSampler(tpe, spaces, seed=seed))
