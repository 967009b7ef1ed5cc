"""Trials whose configs differ only in the seed, and which config is the best over its seeds."""

from collections.abc import Iterable, Sequence
from statistics import fmean

from analysis.records.trial_record import TrialRecord
from search_spaces.declaration import TrainingProtocol


def key_without_seed(config: TrainingProtocol) -> str:
    """Return a text that is the same for two configs exactly if they differ only in the seed."""
    return config.model_dump_json(exclude={"seed"})


def seed_groups(
    records: Sequence[TrialRecord], studies: Sequence[str] = ()
) -> dict[tuple[str, str], list[int]]:
    """Return the places of the complete trials of each config, in the order of `records`.

    records: ended trials. studies: the name of each trial's study; without names all trials are of
    one study, unless their ids are STUDY/NUMBER. The keys of the result are the study and what
    `key_without_seed` returns. A place is an index of `records`. Trials that are not complete or
    have no RMSE are left out.
    """
    groups: dict[tuple[str, str], list[int]] = {}
    for place, record in enumerate(records):
        if record.status == "complete" and record.val_rmse is not None:
            study = studies[place] if studies else record.id.rpartition("/")[0]
            groups.setdefault((study, key_without_seed(record.config)), []).append(place)
    return groups


def mean_rmse(records: Iterable[TrialRecord]) -> float:
    """Return the mean validation RMSE of trials that each have one; at least one trial."""
    return fmean(record.val_rmse or 0.0 for record in records)


def raced_groups(order: Sequence[TrialRecord], studies: Sequence[str] = ()) -> list[list[int]]:
    """Return the places of the trials of each raced config, the best config first.

    order: ended trials in order of merit. studies: see `seed_groups`. A config is raced if at
    least two seeds of it are complete and one of them is a further seed (see
    `TrialRecord.further_seed`). If the first trial of `order` keeps the limit on the tree
    residual, trials that break the limit are left out.

    The race of a study gives the same seeds to all configs that are left in it. Therefore the
    configs with the largest number of seeds of their study, or one seed fewer, come first, in
    order of their mean RMSE. The other configs, which left the race earlier, follow in order of
    their mean RMSE. The list is empty if no config is raced.
    """
    if not any(record.further_seed for record in order):
        return []
    breaks = order[0].feasible is False
    raced: dict[str, list[list[int]]] = {}
    for (study, _), places in seed_groups(order, studies).items():
        kept = [place for place in places if (order[place].feasible is False) == breaks]
        if len(kept) > 1 and any(order[place].further_seed for place in kept):
            raced.setdefault(study, []).append(kept)
    ranked = []
    for groups in raced.values():
        most = max(map(len, groups))
        for group in groups:
            mean = mean_rmse(order[place] for place in group)
            ranked.append((len(group) < most - 1, mean, group))
    return [group for *_, group in sorted(ranked)]


def best_place(order: Sequence[TrialRecord], studies: Sequence[str] = ()) -> int:
    """Return the place of the best trial in `order`, a list of ended trials in order of merit.

    Without a raced config (see `raced_groups`) the first trial is the best. Otherwise the best
    trial is that with the lowest RMSE of the best raced config. A trial of a config that is not
    raced is the best only if its RMSE is lower than the RMSE of every trial of that config.
    """
    raced = raced_groups(order, studies)
    if not raced:
        return 0
    lead = raced[0][0]
    others = set(range(lead)).difference(*raced)
    return min(others, default=lead)
