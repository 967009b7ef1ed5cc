"""Which checkpoints stay: of open trials, the best few, and the best of each architecture."""

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
    """Cleans a study's checkpoints as trials end; it remembers only trials worth keeping."""

    def __init__(
        self, folder: StudyFolder, plan: StudyPlan, records: Iterable[TrialRecord]
    ) -> None:
        """The plan says how many to keep, and how much they may take.

        Of the trials that have ended (`records`), those not worth keeping are dropped now: a
        driver may have died before it came to that.
        """
        self.folder, self.plan = folder, plan
        ended = {record.id: record for record in records}
        self._kept = self._worth_keeping(ended.values())
        kept = {record.id for record in self._kept}
        for path in folder.checkpoints.glob("*"):
            if path.name in ended and path.name not in kept:
                self._drop(path.name)

    def clean(self, ended: TrialRecord) -> None:
        """Drop the ended trial's last state, and what is neither open nor among the best."""
        (self.folder.checkpoint_folder(ended.id) / LAST).unlink(missing_ok=True)
        before = [*self._kept, ended]
        self._kept = self._worth_keeping(before)
        keep = {record.id for record in self._kept}
        for record in before:
            if record.id not in keep:
                self._drop(record.id)

    def drop_worst(self) -> bool:
        """Drop the worst of the kept weights; False if the best trial's alone are left."""
        if len(self._kept) <= 1:
            return False
        self._drop(self._kept.pop().id)
        return True

    def is_over_quota(self) -> bool:
        """Whether all checkpoints together take more than the plan allows."""
        quota = self.plan.checkpoint_quota_gb
        return quota is not None and _size(self.folder.checkpoints) > quota * 1e9

    def _worth_keeping(self, records: Iterable[TrialRecord]) -> list[TrialRecord]:
        """The best few, then the best of each architecture that is not among them."""
        order = ranked(records)
        best, others = order[: self.plan.keep_checkpoints], order[self.plan.keep_checkpoints :]
        first = {record.architecture: record for record in reversed(order)}
        return best + [record for record in others if first[record.architecture] is record]

    def _drop(self, trial_id: str) -> None:
        folder = self.folder.checkpoint_folder(trial_id)
        if folder.exists():
            shutil.rmtree(folder, ignore_errors=True)

    def drop_unused(self) -> None:
        """Drop frozen weights that no kept checkpoint names; only where no trial is open."""
        folders = [p for p in self.folder.checkpoints.iterdir() if (p / BEST).exists()]
        names = {frozen_name(folder) for folder in folders}
        for path in (self.folder.checkpoints / FROZEN).glob("*.safetensors"):
            if path.stem not in names:
                path.unlink(missing_ok=True)
