"""Which sampler draws a study's configs: docs/choices.md says why."""

from optuna.samplers import BaseSampler

from galaxytune.curve_sampler import CurveSampler, CurveSpace
from galaxytune.grace_period import first_grace
from galaxytune.halving import rung_epochs
from galaxytune.penalising_sampler import PenalisingSampler
from galaxytune.quick_tpe import QuickTPESampler
from galaxytune.search_cube import SearchCube
from galaxytune.study_plan import StudyPlan
from search_spaces import config_class

RANDOM_SHARE = 0.25  # of the draws


def study_sampler(plan: StudyPlan, num_drawn: int = 0) -> BaseSampler:
    """What draws the configs of a study that has drawn `num_drawn` already.

    A model of learning curves, or TPE where that does not apply: docs/choices.md says why.
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
        return PenalisingSampler(tpe)
    first = plan.grace_epochs or first_grace(plan.longest_epochs)
    spaces = {}
    for name in plan.architectures:
        cube = SearchCube(config_class(name), plan.fixed_values(name), prefix=f"{name}.")
        num_epochs = plan.published_config(name).epochs
        spaces[name] = CurveSpace(cube, rung_epochs(first, num_epochs, plan.reduction_factor))
    sampler = CurveSampler(tpe, spaces, seed=seed)
    return PenalisingSampler(sampler)
