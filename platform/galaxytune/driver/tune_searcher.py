"""Ray Tune searcher that hands out the trials of a study's queue."""

from pathlib import Path
from typing import Any

from ray.tune.search import Searcher  # noqa: TID251  an extension point of Ray Tune

from galaxytune.driver.ledger import Ledger, Proposal
from galaxytune.driver.trial_queue import TrialQueue
from search_spaces.declaration import TrainingProtocol
from trainables.trial import PackTask, TrialTask


class StudySearcher(Searcher):
    """Ray Tune searcher that hands out the trials of a study's queue.

    The scheduler, not the searcher, tells the ledger how trials end. Tune's snapshots of the
    searcher are empty, because a resume reads the study's folder.

    ledger: the study's ledger.
    """

    def __init__(self, ledger: Ledger, queue: TrialQueue) -> None:
        """Take the study's ledger, and the queue that decides which trials come next."""
        super().__init__(metric=None, mode=None)
        self.ledger = ledger
        self._queue = queue

    def suggest(self, trial_id: str) -> Any:
        """Return {"task": the next task}, which is a TrialTask or, for several trials, a PackTask.

        Return None if no trial is to start now, or `Searcher.FINISHED` if no trial will start any
        more, also because the study's folder cannot be written. trial_id: Tune's id, which is not
        used.
        """
        proposed: list[Proposal] = []
        with self.ledger.writing():
            proposed = self._queue.next_pack()
        if not proposed:
            return str(Searcher.FINISHED) if self._queue.is_over else None
        tasks = tuple(self._task(own_id, config) for own_id, config in proposed)
        return {"task": tasks[0] if len(tasks) == 1 else PackTask(tasks)}

    def _task(self, own_id: str, config: TrainingProtocol) -> TrialTask:
        """Return the task of the running trial `own_id`, with its config as plain values."""
        plan, folder = self.ledger.plan, self.ledger.folder
        return TrialTask(
            trial_id=own_id,
            config=config.model_dump(mode="json"),  # plain values for the worker's process
            data=plan.data,
            split=str(folder.split_file),
            checkpoints=str(folder.checkpoint_folder(own_id)),
            num_threads=max(1, int(plan.cpus_per_trial)),
            uses_gpu=plan.gpus_per_trial > 0,
            known_epochs=self.ledger.running[own_id],
            num_cpus=plan.cpus_per_trial,
        )

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Do nothing, because the scheduler tells the ledger; the arguments are not used."""

    def save(self, checkpoint_path: str) -> None:
        """Write an empty file to the path `checkpoint_path`, as the snapshot that Tune needs."""
        Path(checkpoint_path).touch()

    def restore(self, checkpoint_path: str) -> None:
        """Do nothing, because a resumed study starts from its folder."""
