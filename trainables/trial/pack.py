"""Several trials as one Tune trial, whose results hold one report of each live member.

Tune's `report` returns only when the driver has received the result and asks for the next one. By
then the driver has put a mark into the checkpoint folder of each member that is to stop. Marked
members leave the pack, the others continue.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from trainables.device import OutOfMemory
from trainables.files import DISK_REFUSES
from trainables.galaxies import Galaxies, Split
from trainables.packs import PackedTraining
from trainables.training import EpochReport, TrainingRun
from trainables.trial.stored_run import StoredRun
from trainables.trial.task import TrialTask, is_stopped

MEMBERS = "members"  # key of a result; its value: pairs of a trial's id and its report
Reports = Mapping[str, dict[str, Any]]  # the report of each member, by trial id


def run_pack(
    tasks: Sequence[TrialTask],
    galaxies: Galaxies,
    split: Split,
    report: Callable[[dict[str, Any]], None],
) -> None:
    """Train the trials of `tasks` as one pack until each has ended or was told to stop.

    Each trial continues from the checkpoint in its folder, if there is one, and stores a new
    checkpoint after every epoch. A trial that is marked as stopped already is left out. galaxies,
    split: the galaxies and the rows that all tasks use.

    report: is called with {MEMBERS: [(trial id, report), ...]}, once for each epoch, and first for
    the epochs before the checkpoints that the driver may lack (see `known_epochs`). A trial's
    report is the mapping that the trial would give alone. `report` must return only when the
    driver has answered: members whose checkpoint folder then holds a stop mark (see
    `mark_stopped`) leave.

    A member that diverges or runs out of memory reports `failure` with the reason and leaves. If
    the disk refuses a file (it is full, broken or not writable), every task reports
    `storage_failure`, the pack ends, and the driver stops the study. Any other OSError is raised.
    InvalidInput is raised if a config is wrong or pretrained weights cannot be loaded, ValueError
    if the configs cannot be trained as one pack.
    """

    def tell(reports: Reports) -> None:
        if reports:
            report({MEMBERS: list(reports.items())})  # pairs, because Tune flattens a mapping

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
    """The members of a pack that the driver has not stopped, each with its task and stored run."""

    def __init__(self, tell: Callable[[Reports], None]) -> None:
        """Begin without members; `tell` is called with the members' reports by trial id."""
        self._tell = tell
        self._live: dict[str, tuple[TrialTask, StoredRun]] = {}

    def take_up(self, task: TrialTask, galaxies: Galaxies, split: Split) -> None:
        """Add a trial after its last checkpoint, unless the trial is marked as stopped.

        A trial whose run or checkpoint memory does not hold reports `failure` and is not added.
        Other errors are raised as by `StoredRun` and its `resume`.
        """
        if is_stopped(task):
            return
        try:
            stored = StoredRun(task, galaxies, split)
            stored.resume()
        except OutOfMemory as error:
            self._tell({task.trial_id: {"epoch": 1, "failure": str(error)}})
            return
        self._live[task.trial_id] = task, stored

    def tell_again(self) -> None:
        """Report again the epochs that the driver may lack, then drop the stopped members.

        The last epoch before each member's checkpoint is reported in any case. Each call of `tell`
        has at most one report of each member.
        """
        told = {trial_id: stored.untold_reports() for trial_id, (_, stored) in self._live.items()}
        for epoch in zip_longest(*told.values()):
            self._tell({i: report for i, report in zip(told, epoch) if report is not None})
        self._drop_stopped()

    def train(self) -> None:
        """Train until every member has ended or was stopped; report and store every epoch.

        ValueError is raised if the configs cannot be trained as one pack, OSError if a checkpoint
        cannot be written.
        """
        if not self._live:
            return
        pack = PackedTraining([stored.run for _, stored in self._live.values()])
        while pack.runs:
            self._tell(self._epoch(pack))
            for run in self._drop_stopped():
                if run in pack.runs:
                    pack.leave(run)

    def _epoch(self, pack: PackedTraining) -> Reports:
        """Train one epoch of every member and store checkpoints; return the reports by trial id.

        The report of a member that diverged or ran out of memory holds `failure`; the member
        stores no checkpoint.
        """
        ids = {id(stored.run): trial_id for trial_id, (_, stored) in self._live.items()}
        reports: dict[str, dict[str, Any]] = {}
        for run, outcome in pack.run_epoch():
            trial_id = ids[id(run)]
            if isinstance(outcome, EpochReport):
                stored = self._live[trial_id][1]
                stored.keep()
                reports[trial_id] = stored.reports()[-1]
            else:
                reports[trial_id] = {"epoch": run.epoch + 1, "failure": str(outcome)}
        return reports

    def _drop_stopped(self) -> list[TrainingRun]:
        """Remove the members that the driver has marked as stopped; return their runs."""
        stopped = [i for i, (task, _) in self._live.items() if is_stopped(task)]
        return [self._live.pop(trial_id)[1].run for trial_id in stopped]
