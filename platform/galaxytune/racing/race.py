"""A race of the best configs of a search over further seeds, decided by a paired test.

The race is a function of the trials that the study has, so a resumed study continues it. All
configs that are left in the race get the same further seeds, one after the other. A config leaves
the race when its mean is worse than the best mean by more than the scatter between seeds explains.
(Maron and Moore 1997, Artificial Intelligence Review 11:193, and Birattari et al. 2002, GECCO,
race models and configs in this way.)
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from analysis.records import TrialRecord, key_without_seed, ranked
from analysis.statistics import SURE, seed_p_values
from search_spaces.declaration import TrainingProtocol

MOST_LEADERS = 4
MOST_SEEDS = 8  # further seeds of a config; after these, what is left to know matters little
# The first further seed minus the seed of the search. `confirm` begins at 1000, so that it takes
# other seeds.
FIRST_SEED = 500
# A config that is worse by a larger part of the lowest RMSE takes no part. The RMSEs of a config
# scatter by about 1 % between seeds.
_WITHIN = 0.05


@dataclass(frozen=True)
class Leader:
    """A config that takes part in the race.

    trial_id: the trial of the search that has the config.
    rmses: the validation RMSE of each complete trial of the config, by seed.
    given: the further seeds for which a trial was begun, whatever became of the trial.
    """

    trial_id: str
    rmses: Mapping[int, float]
    given: frozenset[int]


def leaders_of(
    records: Iterable[TrialRecord],
    further: Iterable[TrainingProtocol],
    *,
    num_trials: int,
) -> list[Leader]:
    """Return the configs that take part in the race, the best trial of the search first.

    records: the ended trials of the study. further: the configs of all trials with a further seed
    that were begun. num_trials: the number of trials of the race; with few trials, fewer configs
    take part, so that each can have two further seeds.

    At most four configs take part, and at least two if there are so many. They are those of the
    complete trials of the search with the lowest RMSE, at most 5 % above the lowest of all. If a
    trial keeps the limit on the tree residual, trials that break the limit take no part. The list
    is empty if no trial is complete.
    """
    records = list(records)
    order = [r for r in ranked(r for r in records if not r.further_seed) if r.status == "complete"]
    lowest = order[0].val_rmse if order else None
    if lowest is None:
        return []
    chosen: dict[str, TrialRecord] = {}
    for record in order:
        is_near = record.val_rmse is not None and record.val_rmse <= (1 + _WITHIN) * lowest
        if len(chosen) == max(2, min(MOST_LEADERS, num_trials // 2)) or not is_near:
            break
        if record.feasible == order[0].feasible:
            chosen.setdefault(key_without_seed(record.config), record)
    rmses = {key: {r.config.seed: r.val_rmse or 0.0} for key, r in chosen.items()}
    for record in records:
        if record.further_seed and record.status == "complete" and record.val_rmse is not None:
            rmses.get(key_without_seed(record.config), {})[record.config.seed] = record.val_rmse
    given: dict[str, set[int]] = {key: set() for key in chosen}
    for config in further:
        given.get(key_without_seed(config), set()).add(config.seed)
    return [Leader(r.id, rmses[key], frozenset(given[key])) for key, r in chosen.items()]


def left_in_race(leaders: Sequence[Leader]) -> list[Leader]:
    """Return the leaders that are left in the race, in the same order.

    A leader has left the race if the one-sided paired test of `seed_p_values` finds its mean RMSE
    worse than that of the best leader, with a p-value below 0.05.
    """
    if len(leaders) < 2:
        return list(leaders)
    p_values = seed_p_values({leader.trial_id: leader.rmses for leader in leaders})
    return [leader for leader in leaders if p_values[leader.trial_id] >= SURE]


def next_seed(leaders: Sequence[Leader], first: int) -> tuple[str, int] | None:
    """Return the trial of the search whose config is trained next, and the seed; None for none.

    leaders: those that are left in the race. first: the first further seed. The leader with the
    fewest further seeds is next, and of equal leaders the first. Its seed is the first seed that
    it lacks. Nothing is next if fewer than two leaders are left, or if each has eight further
    seeds.
    """
    leader = min(leaders, key=lambda leader: len(leader.given), default=None)
    if leader is None or len(leaders) < 2 or len(leader.given) >= MOST_SEEDS:
        return None
    seeds = [(first + i) % 2**32 for i in range(MOST_SEEDS)]
    return leader.trial_id, next(seed for seed in seeds if seed not in leader.given)
