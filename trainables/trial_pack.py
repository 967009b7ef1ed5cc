"""Several trials as one Tune trial: each of its results holds a report of every live member.

Tune's `report` returns only when the driver has heard and asks for more. What it decided of
single members then stands in their checkpoint folders: those marked as stopped leave, the others
go on.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from trainables.files import DISK_REFUSES
from trainables.galaxies.galaxy_file import Galaxies
from trainables.galaxies.split import Split
from trainables.micro_batch import OutOfMemory
from trainables.packed_training import PackedTraining
from trainables.stored_run import StoredRun
from trainables.training import TrainingRun
from trainables.trial_task import TrialTask, is_stopped

MEMBERS = "members"  # the key of a result: pairs of a trial's id and its report
Reports = Mapping[str, dict[str, Any]]  # by trial id


def run_pack(
    tasks: Sequence[TrialTask],
    galaxies: Galaxies,
    split: Split,
    report: Callable[[dict[str, Any]], None],
) -> None:
    """Train the tasks as one, handing to `report` at each epoch what each would report alone.

    A member that fails reports so and leaves. A disk that refuses ends the pack, and the study.
    """

    def tell(reports: Reports) -> None:
        if reports:
            report({MEMBERS: list(reports.items())})  # a mapping would be flattened by Tune

    try:
        pack = _Pack(tell)
        for task in tasks:
            pack.take_up(task, galaxies, split)
        pack.tell_again()
        pack.train()
    except OSError as error:
        if error.errno not in DISK_REFUSES:
            raise
        told = f"{error.strerror} ({error.filename})"
        tell({task.trial_id: {"epoch": 1, "storage_failure": told} for task in tasks})


class _Pack:
    """The members that have not ended, each with its task and its stored run."""

    def __init__(self, tell: Callable[[Reports], None]) -> None:
        self._tell = tell
        self._live: dict[str, tuple[TrialTask, StoredRun]] = {}

    def take_up(self, task: TrialTask, galaxies: Galaxies, split: Split) -> None:
        """Make a member, unless it had ended before this worker was started."""
        if is_stopped(task):
            return
        try:
            stored = StoredRun(task, galaxies, split)
        except OutOfMemory as error:
            self._tell({task.trial_id: {"epoch": 1, "failure": str(error)}})
            return
        stored.resume()
        self._live[task.trial_id] = task, stored

    def tell_again(self) -> None:
        """Report the epochs before each member's checkpoint: the driver may have missed some."""
        told = {trial_id: stored.untold_reports() for trial_id, (_, stored) in self._live.items()}
        for epoch in zip_longest(*told.values()):
            self._tell({i: report for i, report in zip(told, epoch) if report is not None})
        self._drop_stopped()

    def train(self) -> None:
        """Train on until no member is left."""
        if not self._live:
            return
        pack = PackedTraining([stored.run for _, stored in self._live.values()])
        while pack.runs:
            self._tell(self._epoch(pack))
            for run in self._drop_stopped():
                if run in pack.runs:
                    pack.leave(run)

    def _epoch(self, pack: PackedTraining) -> Reports:
        ids = {id(stored.run): trial_id for trial_id, (_, stored) in self._live.items()}
        reports: dict[str, dict[str, Any]] = {}
        for run, outcome in pack.run_epoch():
            trial_id = ids[id(run)]
            if isinstance(outcome, dict):
                stored = self._live[trial_id][1]
                stored.keep()
                reports[trial_id] = stored.reports()[-1]
            else:
                reports[trial_id] = {"epoch": run.epoch + 1, "failure": str(outcome)}
        return reports

    def _drop_stopped(self) -> list[TrainingRun]:
        """Forget the members that the driver has marked; returns their runs."""
        stopped = [i for i, (task, _) in self._live.items() if is_stopped(task)]
        return [self._live.pop(trial_id)[1].run for trial_id in stopped]
