"""The ledger's proposals as a Ray Tune searcher."""

from pathlib import Path
from typing import Any

from ray.tune.search import Searcher  # noqa: TID251  an extension point of Ray Tune

from galaxytune.ledger import Ledger, Proposal
from galaxytune.trial_queue import TrialQueue
from trainables.trial_task import PackTask, TrialTask


class StudySearcher(Searcher):
    """Hands out the ledger's trials. How they end is the ledger's to know, not the searcher's.

    Tune's own snapshots of the searcher stay empty: the study folder is what a resume reads.
    """

    def __init__(self, ledger: Ledger, queue: TrialQueue) -> None:
        """`ledger` of the study to search; `queue` says what comes next."""
        super().__init__(metric=None, mode=None)
        self.ledger = ledger
        self._queue = queue

    def suggest(self, trial_id: str) -> Any:
        """The next task under the key `task`; None if there is none yet, or Searcher.FINISHED."""
        proposed: list[Proposal] = []
        with self.ledger.writing():
            proposed = self._queue.next_pack()
        if not proposed:
            return str(Searcher.FINISHED) if self._queue.is_over else None
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
            known_epochs=self.ledger.running[own_id],
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
