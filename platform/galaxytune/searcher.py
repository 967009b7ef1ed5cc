"""The ledger's proposals as a Ray Tune searcher."""

from pathlib import Path
from typing import Any

from ray.tune.search import Searcher  # noqa: TID251  an extension point of Ray Tune

from galaxytune.ledger import Ledger, Proposal
from galaxytune.pack_filling import PackFilling
from trainables.trial_task import PackTask, TrialTask


class StudySearcher(Searcher):
    """Hands out the ledger's trials. How they end is the ledger's to know, not the searcher's.

    Tune's own snapshots of the searcher stay empty: the study folder is what a resume reads.
    """

    def __init__(self, ledger: Ledger, packs: PackFilling | None = None) -> None:
        """`ledger` of the study to search; `packs` says which trials are trained as one."""
        super().__init__(metric=None, mode=None)
        self.ledger = ledger
        self._packs = packs or PackFilling(ledger, {}, places=1)

    def suggest(self, trial_id: str) -> Any:
        """The next task under the key `task`, or Searcher.FINISHED."""
        proposed: list[Proposal] = []
        with self.ledger.writing():
            proposed = self._packs.next_pack()
        if not proposed:
            return str(Searcher.FINISHED)
        tasks = tuple(self._task(own_id, config) for own_id, config in proposed)
        return {"task": tasks[0] if len(tasks) == 1 else PackTask(tasks)}

    def _task(self, own_id: str, config: dict[str, Any]) -> TrialTask:
        plan, folder = self.ledger.plan, self.ledger.folder
        return TrialTask(
            trial_id=own_id,
            config=config,
            data=plan.data,
            split=str(folder.split_file),
            checkpoints=str(folder.checkpoint_folder(own_id)),
            num_threads=max(1, int(plan.cpus_per_trial)),
            uses_gpu=plan.gpus_per_trial > 0,
        )

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Nothing to do: the scheduler has told the ledger."""

    def save(self, checkpoint_path: str) -> None:
        """Write an empty snapshot, which Tune asks for."""
        Path(checkpoint_path).touch()

    def restore(self, checkpoint_path: str) -> None:
        """Nothing to restore: a resumed study starts from its folder."""
