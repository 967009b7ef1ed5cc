"""The number of trials of a search that are kept for further seeds of the best configs."""

from galaxytune.plan import StudyPlan

_FEWEST = 4  # trainings; with fewer, two configs cannot be compared


def most_seed_trials(plan: StudyPlan) -> int:
    """Return the largest number of trials of a plan that may train further seeds.

    The number is the plan's `seed_share` of its trials, rounded down. The number is 0 if it is
    below 4, for a grid, and for two objectives.
    """
    if plan.grid or plan.has_two_objectives:
        return 0
    number = int(plan.seed_share * plan.trials + 1e-9)  # 0.29 x 100 is 28.999... in float64
    return number if number >= _FEWEST else 0


def num_seed_trials(plan: StudyPlan, searched_epochs: float) -> int:
    """Return the number of trials of a plan that train further seeds.

    searched_epochs: the epochs of all trials of the search itself. A trial with a further seed is
    trained whole, while halving lets most trials of a search have few epochs. Therefore the
    further seeds also take no more than `seed_share` of all epochs of the study, except that 4 of
    them are always allowed. The number is at most `most_seed_trials`.
    """
    most, share = most_seed_trials(plan), plan.seed_share
    if not most:
        return 0
    affordable = share / (1 - share) * searched_epochs / plan.longest_epochs
    return min(most, max(_FEWEST, int(affordable + 1e-9)))
