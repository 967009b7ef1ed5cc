"""Training of the best configs again with fresh seeds, to see whether the winner was lucky."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from analysis.records import JsonDocument, TrialRecord, ranked
from analysis.statistics import mean_interval
from galaxytune.cluster import ClusterAddress
from galaxytune.driver.run import run_study
from galaxytune.plan import StudyPlan, make_plan
from galaxytune.study import (
    StudyFolder,
    check_data_unchanged,
    confirmation_name,
    new_study,
    open_folder,
)
from galaxytune.tracking import StudyObserver
from search_spaces.declaration import InvalidInput, check_whole_number

_FIRST_SEED = 1000  # added to the search's seed, so that no trial repeats a lucky seed
# the keys that the new plan takes from the study's plan; the other keys get their defaults
_KEPT = {"data", "split", "num_galaxies", "cpus_per_trial", "gpus_per_trial", "wandb"}
_KEPT |= {"checkpoint_quota_gb"}


class ConfirmedTrial(JsonDocument):
    """A searched trial whose config was trained again with fresh seeds."""

    id: str
    """Number of the searched trial in its study."""
    architecture: str
    """Name of the trial's architecture."""
    searched_val_rmse: float
    """Validation RMSE of the searched trial."""
    mean_val_rmse: float | None
    """Mean validation RMSE over the fresh seeds; null if no training was completed."""
    interval_95: tuple[float, float] | None
    """Student's 95 % interval of the mean; null if fewer than two trainings were completed."""
    val_rmse_by_seed: tuple[float, ...]
    """Validation RMSE of each training that was completed."""
    num_failed: int
    """Number of trainings that were not completed."""

    @property
    def mean(self) -> float:
        """The mean validation RMSE over the fresh seeds; infinite if no training was completed."""
        return float("inf") if self.mean_val_rmse is None else self.mean_val_rmse

    def sentence(self) -> str:
        """Return the searched RMSE, the mean over fresh seeds and its interval, in words.

        The interval is left out if there is none. The mean is `inf` if no training was completed.
        """
        interval = self.interval_95
        spread = "" if interval is None else f", 95 % {interval[0]:.4f} to {interval[1]:.4f}"
        seeds = f"{len(self.val_rmse_by_seed)} seeds{spread}"
        return f"searched {self.searched_val_rmse:.4f}, mean {self.mean:.4f} over {seeds}"


class Confirmation(JsonDocument):
    """A result of training a study's best configs again with fresh seeds."""

    study: str
    """Name of the study."""
    verdict: str
    """A sentence on whether the winner of the search is still the best."""
    trials: tuple[ConfirmedTrial, ...]
    """The configs, the one with the best mean first."""


def best_configs(records: Sequence[TrialRecord], num_best: int) -> list[TrialRecord]:
    """Return the records of the best complete trials, at most `num_best`, the best trial first.

    records: the ended trials of a study. Of trials whose configs differ only in the seed, only the
    best trial is returned. InvalidInput is raised if no trial is complete.
    """
    chosen: list[TrialRecord] = []
    for record in ranked(records):
        configs = [c.config_without("seed") for c in chosen]
        if record.status == "complete" and record.config_without("seed") not in configs:
            chosen.append(record)
    if not chosen:
        raise InvalidInput("no trial of this study is complete, so there is nothing to confirm")
    return chosen[:num_best]


def confirmation_plan(plan: StudyPlan, chosen: Sequence[TrialRecord], num_seeds: int) -> StudyPlan:
    """Return the plan of a study that trains each chosen config with `num_seeds` fresh seeds.

    plan: the plan of the study that was searched. chosen: the records with the configs. The seeds
    are 1000, 1001, ... above the seed of `plan`.

    The new plan is a grid of the configs and seeds. Data, split, number of galaxies, CPUs and GPUs
    of a trial, the mode of W&B and the quota of the checkpoints are those of `plan`. The weights
    of all trials are kept, because an ensemble may have these trials as members, and is compared
    with seeds of the winner. All other keys have their defaults. The name is
    NAME-confirm-NUM_SEEDS. InvalidInput is raised if the name is longer than 80 characters.
    """
    seeds = [_FIRST_SEED + plan.seed + i for i in range(num_seeds)]
    grid = [
        {"seed": seeds, **{k: [v] for k, v in record.config_without("seed").items()}}
        for record in chosen
    ]
    values = {name: value for name, value in plan.model_dump().items() if name in _KEPT}
    architectures = sorted({record.architecture for record in chosen})
    return make_plan(
        {
            **values,
            "name": confirmation_name(plan.name, num_seeds),
            "architectures": architectures,
            "grid": grid,
            "keep_checkpoints": num_seeds * len(chosen),
        }
    )


def confirm_study(
    study: StudyFolder,
    *,
    num_seeds: int,
    num_best: int,
    where: ClusterAddress,
    observers: Sequence[StudyObserver] = (),
) -> Confirmation:
    """Train the best configs of a study again with fresh seeds, and return what was found.

    num_seeds: fresh seeds for each config, at least 1. num_best: number of configs, at least 1;
    fewer configs are trained if fewer are complete. where: the Ray cluster. observers: are called
    at each event. The trainings are a study of their own, named NAME-confirm-NUM_SEEDS, in the
    same storage; if that study exists, it is continued.

    InvalidInput is raised if a number is below 1, the data has changed, no trial is complete, or
    the existing study confirms other configs. The configs are others if the search has found
    better trials since, or if `num_best` is another number. The errors of `run_study` and
    `new_study` are raised as well.
    """
    check_whole_number("num_seeds", num_seeds, at_least=1)
    check_whole_number("num_best", num_best, at_least=1)
    check_data_unchanged(study)
    chosen = best_configs(study.records(), num_best)
    plan = confirmation_plan(study.plan, chosen, num_seeds)
    storage = study.path.parent
    known = (storage / plan.name / "plan.yaml").exists()
    folder = open_folder(storage, plan.name) if known else new_study(plan, storage)
    folder.moved_data = study.moved_data
    if known and folder.plan.grid != plan.grid:
        raise InvalidInput(
            f"{folder.name} confirms other configs, the study has better ones since; "
            f"remove {_shown(folder.path)} or ask for another number of seeds"
        )
    run_study(folder, where, observers=observers)
    retrained = folder.records()
    trials = sorted((_confirmed(record, retrained) for record in chosen), key=lambda c: c.mean)
    return Confirmation(
        study=study.name, verdict=verdict(trials, chosen[0].id), trials=tuple(trials)
    )


def _shown(path: Path) -> str:
    """Return the last two parts of a path, such as `studies/NAME`."""
    return f"{path.parent.name}/{path.name}"


def _confirmed(record: TrialRecord, retrained: Sequence[TrialRecord]) -> ConfirmedTrial:
    """Return the result for a searched trial, from the trainings of its config.

    record: the searched trial. retrained: the records of all fresh trainings, also of other
    configs.
    """
    mine = [r for r in retrained if r.config_without("seed") == record.config_without("seed")]
    values = tuple(r.val_rmse for r in mine if r.status == "complete" and r.val_rmse is not None)
    return ConfirmedTrial(
        id=record.id,
        architecture=record.architecture,
        searched_val_rmse=record.val_rmse or float("inf"),
        mean_val_rmse=float(np.mean(values)) if values else None,
        interval_95=mean_interval(values),
        val_rmse_by_seed=values,
        num_failed=len(mine) - len(values),
    )


def verdict(confirmed: Sequence[ConfirmedTrial], winner_id: str) -> str:
    """Return a sentence on whether the winner of the search is still the best.

    confirmed: at least one config, the config with the best mean first. winner_id: the trial of
    the config that won the search, which need not have the lowest searched RMSE if the search has
    trained its best configs with further seeds; StopIteration is raised if `confirmed` lacks the
    trial. For a single config the sentence gives its numbers only.
    """
    winner = next(c for c in confirmed if c.id == winner_id)
    best = confirmed[0]
    if len(confirmed) == 1:
        return f"trial {winner.id}: {winner.sentence()}"
    if best.id == winner.id:
        return f"the winner stays first: trial {winner.id}, {winner.sentence()}"
    return (
        f"the ranking changed: trial {best.id} ({best.sentence()}) is better than the search's "
        f"winner {winner.id} ({winner.sentence()})"
    )
