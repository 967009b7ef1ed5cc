"""Retraining the best few configs with fresh seeds: was the winner lucky?"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from analysis.intervals import mean_interval
from analysis.leaderboard import ranked
from analysis.trial_record import TrialRecord
from galaxytune.ray_cluster import ClusterAddress
from galaxytune.search import check_data_unchanged, new_study, run_study
from galaxytune.study_folder import StudyFolder, open_study
from galaxytune.study_plan import StudyPlan, make_plan

_FIRST_SEED = 1000  # beside the search's own, so that no lucky draw is repeated
_KEPT = ("data", "split", "num_galaxies", "cpus_per_trial", "gpus_per_trial", "wandb")


@dataclass(frozen=True)
class Confirmed:
    """A searched trial's config over fresh seeds: validation RMSE then and now."""

    trial_id: str
    architecture: str
    searched_rmse: float
    values: tuple[float, ...]
    num_failed: int

    @property
    def mean(self) -> float:
        """Mean validation RMSE over the fresh seeds; infinite if none was trained to its end."""
        return float(np.mean(self.values)) if self.values else float("inf")

    def as_json(self) -> dict[str, Any]:
        """Plain values, with Student's 95 % interval of the mean."""
        interval = mean_interval(self.values)
        return {
            "id": self.trial_id,
            "architecture": self.architecture,
            "searched_val_rmse": self.searched_rmse,
            "mean_val_rmse": self.mean if self.values else None,
            "interval_95": None if interval is None else list(interval),
            "val_rmse_by_seed": list(self.values),
            "num_failed": self.num_failed,
        }


def best_configs(records: Sequence[TrialRecord], num_best: int) -> list[TrialRecord]:
    """The best complete trials, of trials that differ in the seed alone the best one."""
    chosen: list[TrialRecord] = []
    for record in ranked(records):
        configs = [c.config_without("seed") for c in chosen]
        if record.status == "complete" and record.config_without("seed") not in configs:
            chosen.append(record)
    if not chosen:
        raise ValueError("no trial of this study is complete, so there is nothing to confirm")
    return chosen[:num_best]


def confirmation_plan(plan: StudyPlan, chosen: Sequence[TrialRecord], num_seeds: int) -> StudyPlan:
    """A grid of the chosen configs and fresh seeds, on the same galaxies."""
    seeds = [_FIRST_SEED + plan.seed + i for i in range(num_seeds)]
    grid = [
        {"seed": seeds, **{k: [v] for k, v in record.config_without("seed").items()}}
        for record in chosen
    ]
    values = {name: value for name, value in plan.model_dump().items() if name in _KEPT}
    architectures = sorted({record.architecture for record in chosen})
    name = f"{plan.name}-confirm-{num_seeds}"
    return make_plan({**values, "name": name, "architectures": architectures, "grid": grid})


def confirm_study(
    study: StudyFolder, *, num_seeds: int, num_best: int, where: ClusterAddress
) -> list[Confirmed]:
    """Train the best configs again, or go on with that; best by the fresh seeds' mean first."""
    check_data_unchanged(study)
    chosen = best_configs(study.records(), num_best)
    plan = confirmation_plan(study.plan, chosen, num_seeds)
    storage = study.path.parent
    known = (storage / plan.name / "plan.yaml").exists()
    folder = open_study(storage, plan.name) if known else new_study(plan, storage)
    if known and folder.plan.grid != plan.grid:
        raise ValueError(
            f"{folder.name} confirms other configs, the study has better ones since; "
            f"remove {_shown(folder.path)} or ask for another number of seeds"
        )
    run_study(folder, where)
    return sorted(
        (_confirmed(record, folder.records()) for record in chosen), key=lambda c: c.mean
    )


def _shown(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def _confirmed(record: TrialRecord, retrained: Sequence[TrialRecord]) -> Confirmed:
    mine = [r for r in retrained if r.config_without("seed") == record.config_without("seed")]
    values = tuple(r.val_rmse for r in mine if r.status == "complete" and r.val_rmse is not None)
    return Confirmed(
        trial_id=record.id,
        architecture=record.architecture,
        searched_rmse=record.val_rmse or float("inf"),
        values=values,
        num_failed=len(mine) - len(values),
    )


def verdict(confirmed: Sequence[Confirmed]) -> str:
    """Whether the winner of the search is still the best, in words."""
    winner = min(confirmed, key=lambda c: c.searched_rmse)
    best = confirmed[0]
    if len(confirmed) == 1:
        return f"trial {winner.trial_id}: {_told(winner)}"
    if best.trial_id == winner.trial_id:
        return f"the winner stays first: trial {winner.trial_id}, {_told(winner)}"
    return (
        f"the ranking changed: trial {best.trial_id} ({_told(best)}) stands before the search's "
        f"winner {winner.trial_id} ({_told(winner)})"
    )


def _told(one: Confirmed) -> str:
    interval = mean_interval(one.values)
    spread = "" if interval is None else f", 95 % {interval[0]:.4f} to {interval[1]:.4f}"
    seeds = f"{len(one.values)} seeds{spread}"
    return f"searched {one.searched_rmse:.4f}, mean {one.mean:.4f} over {seeds}"
