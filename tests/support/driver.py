"""A stand-in for Ray Tune, for tests of what a study decides."""

from collections.abc import Sequence
from types import SimpleNamespace

from galaxytune.driver.ledger import Ledger
from galaxytune.driver.promotion import Promotion
from galaxytune.driver.trial_queue import TrialQueue
from galaxytune.driver.tune_scheduler import StudyScheduler
from galaxytune.study.folder import StudyFolder
from galaxytune.tracking import StudyObserver
from tests.support.misbehaving import report_of
from trainables.training import EpochReport
from trainables.trial.task import TrialTask

HALVED = {"halving": True, "grace_epochs": 1, "epochs": 9}
"""The keys of a plan whose trials pause at epochs 1 and 3 of 9."""
ONE_HEAD = {"head": "sigmoid"}
"""The key `set` of a plan whose published and recommended configs fit into one pack."""


class Driver:
    """A driver of a study that does what Tune does, without processes and trial by trial."""

    def __init__(
        self, folder: StudyFolder, pack: int = 1, observers: Sequence[StudyObserver] = ()
    ) -> None:
        """Open the study; `pack` is how many trials of simple_cnn are handed out as one."""
        self.ledger = Ledger(folder, observers)
        self.promotion = Promotion(self.ledger)
        self.queue = TrialQueue(self.ledger, self.promotion, {"simple_cnn": pack}, slots=1)
        self.scheduler = StudyScheduler(self.ledger, self.promotion)

    def begin(self) -> list[str]:
        """Hand out the next trials, as one pack, and return their ids."""
        return [trial_id for trial_id, _ in self.queue.next_pack()]

    def train(self, trial_id: str, epochs: int = 9) -> str:
        """Report the epochs of a trial, from the first on as after a lost checkpoint.

        Stop where the study stops the trial. Return the trial's id and how many epochs it has:
        `00001:3`.
        """
        task = self.task(trial_id)
        trial = SimpleNamespace(trial_id=trial_id, config={"task": task}, status="RUNNING")
        for epoch in range(1, epochs + 1):
            ends = {"finished": "all epochs trained"} if epoch == 9 else {}
            report = {**self.report(trial_id, epoch).as_values(), **ends}
            told = self.scheduler.on_trial_result(None, trial, report)  # type: ignore[arg-type]
            if told != "CONTINUE":
                break
        return f"{trial_id}:{len(self.ledger.curves[trial_id])}"

    def report(self, trial_id: str, epoch: int) -> EpochReport:
        """Return what a trial reports of an epoch, which its number decides."""
        return report_of(trial_id, epoch)

    def task(self, trial_id: str) -> TrialTask:
        """Return the task of a trial that is handed out."""
        folder = str(self.ledger.folder.checkpoint_folder(trial_id))
        known = self.ledger.running[trial_id]
        return TrialTask(trial_id, {}, "", "", folder, 1, False, known)

    def run(self, limit: int = 100) -> list[str]:
        """Train what is handed out, at most `limit` times; return what `train` says each time."""
        done: list[str] = []
        while len(done) < limit and (begun := self.begin()):
            done.append(self.train(begun[0]))
        return done
