"""The state of a study, and how many of its trials have which status."""

from collections.abc import Mapping

from analysis.records import JsonDocument
from galaxytune.study.folder import State, StudyFolder

_ALL = ("complete", "pruned", "failed", "running", "interrupted", "paused")


class StudyStatus(JsonDocument):
    """The state of a study and its trials, counted by status."""

    study: str
    """Name of the study."""
    state: State
    """running: a driver runs the study. finished: no trial is left. interrupted: some are left."""
    counts: dict[str, int]
    """Number of trials by status; `waiting` counts the trials that have not begun."""
    ended: str | None = None
    """The budget that ended the study before its last trial; null if no budget did."""


def trial_statuses(folder: StudyFolder, state: State) -> dict[str, str]:
    """Return the status of every trial that was begun, by trial id; {} if no trial was begun.

    state: the study's state. An ended trial has the status of its record: `complete`, `pruned` or
    `failed`. A trial that has not ended is `paused` if it pauses at a rung, else `running` if a
    driver runs the study, else `interrupted`.
    """
    unfinished = "running" if state == "running" else "interrupted"
    paused = folder.paused_ids()
    begun = {i: "paused" if i in paused else unfinished for i in folder.trial_ids_with_curve()}
    return begun | {record.id: record.status for record in folder.records()}


def study_status(folder: StudyFolder) -> StudyStatus:
    """Return the state of a study now, and its trials counted by status.

    InvalidInput is raised if a file of the study is damaged, or if this user may not read the lock
    file (see `StudyFolder.state`).
    """
    state = folder.state()
    return counted(folder, state, trial_statuses(folder, state))


def counted(folder: StudyFolder, state: State, statuses: Mapping[str, str]) -> StudyStatus:
    """Return the status of a study whose state, and whose trials' statuses, are known.

    state: what `StudyFolder.state` returns. statuses: what `trial_statuses` returns.
    """
    counts = dict.fromkeys(_ALL, 0)
    for status in statuses.values():
        counts[status] += 1
    counts["waiting"] = max(0, folder.plan.trials - len(statuses))
    return StudyStatus(study=folder.name, state=state, counts=counts, ended=folder.ended)
