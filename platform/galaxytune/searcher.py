"""The ledger's proposals as a Ray Tune searcher."""

from pathlib import Path
from typing import Any

from ray.tune.search import Searcher  # noqa: TID251  an extension point of Ray Tune

from galaxytune.ledger import Ledger
from trainables.trial import TrialTask


class StudySearcher(Searcher):
    """Hands out the ledger's trials. How they end is the ledger's to know, not the searcher's.

    Tune's own snapshots of the searcher stay empty: the study folder is what a resume reads.
    """

    def __init__(self, ledger: Ledger) -> None:
        """`ledger` of the study to search."""
        super().__init__(metric=None, mode=None)
        self.ledger = ledger

    def suggest(self, trial_id: str) -> Any:
        """The next task under the key `task`, or Searcher.FINISHED."""
        proposed = None
        with self.ledger.writing():
            proposed = self.ledger.next_trial()
        if proposed is None:
            return str(Searcher.FINISHED)
        own_id, config = proposed
        plan, folder = self.ledger.plan, self.ledger.folder
        task = TrialTask(
            trial_id=own_id,
            config=config,
            data=plan.data,
            split=str(folder.split_file),
            checkpoints=str(folder.checkpoint_folder(own_id)),
            num_threads=max(1, int(plan.cpus_per_trial)),
            uses_gpu=plan.gpus_per_trial > 0,
        )
        return {"task": task}

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Nothing to do: the scheduler has told the ledger."""

    def save(self, checkpoint_path: str) -> None:
        """Write an empty snapshot, which Tune asks for."""
        Path(checkpoint_path).touch()

    def restore(self, checkpoint_path: str) -> None:
        """Nothing to restore: a resumed study starts from its folder."""
