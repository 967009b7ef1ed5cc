"""The checkpoints that a study keeps: of open trials, and of the best trials.

The best trials are the plan's `keep_checkpoints` best, and the best of each architecture.
"""

import shutil
from collections.abc import Iterable
from pathlib import Path

from analysis.records import TrialRecord, ranked
from galaxytune.plan import StudyPlan
from galaxytune.study.folder import StudyFolder
from search_spaces.declaration import InvalidInput
from trainables.files import BEST, FROZEN, LAST, frozen_name


def _size(folder: Path) -> int:
    """Return the bytes of all files in a folder and its subfolders."""
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())


class CheckpointKeeper:
    """The keeper of a study's checkpoints, which removes checkpoints as trials end.

    The checkpoints of trials that have not ended are never removed. Errors in removing a folder
    are ignored.

    folder: the study's folder.
    plan: sets how many checkpoints are kept, and how much space they may take.
    """

    def __init__(
        self, folder: StudyFolder, plan: StudyPlan, records: Iterable[TrialRecord]
    ) -> None:
        """Remove the checkpoints of ended trials that are not worth keeping.

        plan: sets how many checkpoints are kept, and how much space they may take. records: the
        trials that have ended. An earlier driver may have died before it removed these
        checkpoints.
        """
        self.folder, self.plan = folder, plan
        ended = {record.id: record for record in records}
        self._kept = self._worth_keeping(ended.values())
        kept = {record.id for record in self._kept}
        for path in folder.checkpoints.glob("*"):
            if path.name in ended and path.name not in kept:
                self._drop(path.name)

    def clean(self, ended: TrialRecord) -> None:
        """Remove the last state of a trial that has just ended, and checkpoints no longer kept.

        ended: the trial's record; its best weights stay if the trial is now among the best trials.
        """
        (self.folder.checkpoint_folder(ended.id) / LAST).unlink(missing_ok=True)
        before = [*self._kept, ended]
        self._kept = self._worth_keeping(before)
        keep = {record.id for record in self._kept}
        for record in before:
            if record.id not in keep:
                self._drop(record.id)

    def drop_worst(self) -> bool:
        """Remove the checkpoints of the worst ended trial whose checkpoints are kept.

        Return True. Return False, and remove nothing, if at most the best trial's are left.
        """
        if len(self._kept) <= 1:
            return False
        self._drop(self._kept.pop().id)
        return True

    def is_over_quota(self) -> bool:
        """Return whether all checkpoints, and the frozen weights, take more than the plan's quota.

        The result is False without a quota. A GB of the quota is 10^9 bytes.
        """
        quota = self.plan.checkpoint_quota_gb
        return quota is not None and _size(self.folder.checkpoints) > quota * 1e9

    def _worth_keeping(self, records: Iterable[TrialRecord]) -> list[TrialRecord]:
        """Return the trials whose weights are kept, in order of merit.

        The list holds the plan's `keep_checkpoints` best trials, then the best trial of each
        architecture that is not among them. Pruned and failed trials are in the list if few trials
        are complete.
        """
        order = ranked(records)
        best, others = order[: self.plan.keep_checkpoints], order[self.plan.keep_checkpoints :]
        first = {record.architecture: record for record in reversed(order)}
        return best + [record for record in others if first[record.architecture] is record]

    def _drop(self, trial_id: str) -> None:
        """Remove the checkpoint folder of a trial, if it exists."""
        folder = self.folder.checkpoint_folder(trial_id)
        if folder.exists():
            shutil.rmtree(folder, ignore_errors=True)

    def drop_unused(self) -> None:
        """Remove the frozen weights that no kept best weights use.

        The method is to be called only if no trial is open, because an open trial may not have
        written best weights yet. Nothing is removed if a kept checkpoint is damaged.
        """
        folders = [p for p in self.folder.checkpoints.iterdir() if (p / BEST).exists()]
        try:
            names = {frozen_name(folder) for folder in folders}
        except InvalidInput:  # a damaged file may name any of the frozen weights
            return
        for path in (self.folder.checkpoints / FROZEN).glob("*.safetensors"):
            if path.stem not in names:
                path.unlink(missing_ok=True)
