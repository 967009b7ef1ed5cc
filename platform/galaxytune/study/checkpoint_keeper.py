"""The checkpoints that a study keeps: of open trials, and of the best trials.

The best trials are the plan's `keep_checkpoints` best, the best of each architecture, and the best
of each config that a search has trained with further seeds. A search that may train further seeds
keeps at least its four best trials, because further seeds may show any of them to be the best.
"""

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from analysis.records import TrialRecord, key_without_seed, ranked
from galaxytune.plan import StudyPlan
from galaxytune.racing import MOST_LEADERS, most_seed_trials
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
        most = MOST_LEADERS if most_seed_trials(plan) else 0
        self._num_best = max(plan.keep_checkpoints, most)
        # complete trials of each config that has a further seed, also if their weights are gone
        self._raced: dict[str, list[TrialRecord]] = {}
        self._enter(ended.values(), ended.values())
        self._kept = self._worth_keeping(list(ended.values()))
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
        self._enter([ended], before)
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

    def _enter(self, new: Iterable[TrialRecord], known: Iterable[TrialRecord]) -> None:
        """Remember the complete trials of the configs that have a further seed.

        new: trials that have ended. known: trials among which those of the same configs are found,
        the new trials included.
        """
        keys = {
            key_without_seed(r.config) for r in new if r.further_seed and r.status == "complete"
        }
        for record in known if keys else ():
            key = key_without_seed(record.config)
            group = self._raced.setdefault(key, []) if key in keys else []
            if record.status == "complete" and record not in group:
                group.append(record)

    def _worth_keeping(self, records: Sequence[TrialRecord]) -> list[TrialRecord]:
        """Return the trials whose weights are kept, in order of merit.

        records: trials whose weights are there. The list holds the best trials, as many as the
        module's first lines say, then those of the others that are the best of their architecture
        or of their config with further seeds. Pruned and failed trials are in the list if few
        trials are complete.
        """
        raced = [record for group in self._raced.values() for record in group]
        there = {record.id for record in records}
        everything = {record.id: record for record in (*records, *raced)}
        order = [record for record in ranked(everything.values()) if record.id in there]
        best, others = order[: self._num_best], order[self._num_best :]
        first = {record.architecture: record.id for record in reversed(order)}
        needed = {*first.values(), *self._best_of_raced(there)}
        return best + [record for record in others if record.id in needed]

    def _best_of_raced(self, there: set[str]) -> set[str]:
        """Return the ids of the best trial of each config with a further seed.

        there: the ids of the trials whose weights are there; other trials are left out.
        """
        groups = [[r for r in group if r.id in there] for group in self._raced.values()]
        return {ranked(group)[0].id for group in groups if group}

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
