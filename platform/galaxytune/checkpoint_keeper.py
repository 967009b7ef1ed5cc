"""Which checkpoints stay: those of live trials, the best few, the best of each architecture."""

import shutil
from collections.abc import Iterable
from pathlib import Path

from analysis.leaderboard import ranked
from analysis.trial_record import TrialRecord
from galaxytune.study_folder import StudyFolder
from galaxytune.study_plan import StudyPlan
from trainables.checkpoint import BEST, FROZEN, LAST, frozen_name


def _size(folder: Path) -> int:
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())


class CheckpointKeeper:
    """Cleans a study's checkpoints as trials end."""

    def __init__(self, folder: StudyFolder, plan: StudyPlan) -> None:
        """The plan says how many to keep, and how much they may take."""
        self.folder, self.plan = folder, plan

    def clean(self, ended: TrialRecord, records: Iterable[TrialRecord]) -> None:
        """Drop the ended trial's last state, and what is neither live nor among the best.

        Over the quota the worst of the kept go first; the best trial's weights always stay.
        """
        (self.folder.checkpoint_folder(ended.id) / LAST).unlink(missing_ok=True)
        order = ranked(records)
        first = {r.architecture: r.id for r in reversed(order)}
        keep = [r.id for r in order[: self.plan.keep_checkpoints]]
        keep += [i for i in first.values() if i not in keep]
        for record in order:
            if record.id not in keep:
                self._drop(record.id)
        quota = self.plan.checkpoint_quota_gb
        while quota is not None and len(keep) > 1 and self._taken() > quota * 1e9:
            self._drop(keep.pop())

    def _taken(self) -> int:
        return _size(self.folder.checkpoints)

    def _drop(self, trial_id: str) -> None:
        folder = self.folder.checkpoint_folder(trial_id)
        if folder.exists():
            shutil.rmtree(folder, ignore_errors=True)

    def drop_unused(self) -> None:
        """Drop frozen weights that no kept checkpoint names; only where no trial is live."""
        folders = [p for p in self.folder.checkpoints.iterdir() if (p / BEST).exists()]
        names = {frozen_name(folder) for folder in folders}
        for path in (self.folder.checkpoints / FROZEN).glob("*.safetensors"):
            if path.stem not in names:
                path.unlink(missing_ok=True)
