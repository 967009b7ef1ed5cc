"""Leaderboards of finished trials: complete trials first, each group by validation RMSE."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

from analysis.records.json_document import JsonDocument
from analysis.records.seed_groups import best_place, key_without_seed, mean_rmse, seed_groups
from analysis.records.trial_record import Origin, Status, TrialRecord
from search_spaces.declaration import InvalidInput

if TYPE_CHECKING:
    import pandas as pd

_ORDER = {"complete": 0, "pruned": 1, "failed": 2}


class LeaderboardRow(JsonDocument):
    """A row of a leaderboard, which describes one finished trial."""

    rank: int | None
    """Rank of the trial, from 1; null for a failed trial."""
    study: str
    """Name of the trial's study."""
    id: str
    """Number of the trial in its study, with leading zeros."""
    architecture: str
    """Name of the trial's architecture."""
    status: Status
    """complete: trained to its own end. pruned: ended early by the study. failed: see `reason`."""
    published: bool
    """Whether the study ran the trial as the published config of the trial's architecture."""
    origin: Origin | None
    """Where the config comes from; see `TrialRecord.origin`."""
    val_rmse: float | None
    """Validation RMSE over all N x 37 values at the best epoch; null if no epoch ended."""
    best_epoch: int
    """Number, from 1, of the epoch with the lowest monitored metric; 0 if no epoch ended."""
    epochs: int
    """Number of epochs that the trial reported."""
    tree_residual: float | None
    """Mean tree residual at the best epoch; null if no epoch ended."""
    pareto: bool
    """Whether the trial is on the Pareto front of RMSE and tree residual of all listed trials."""
    feasible: bool | None
    """Whether the tree residual is within the limit; null without a limit or without an epoch."""
    device_seconds: float
    """Seconds of all epochs, times the trial's share of a GPU, or its CPUs if it had no GPU."""
    reason: str
    """Why the trial ended, in words."""
    config: dict[str, Any]
    """The values of the trial's config by field name."""
    num_seeds: int = 0
    """Number of complete trials of the study whose configs differ from this one in the seed only.

    The trial itself counts if it is complete.
    """
    mean_val_rmse: float | None = None
    """Mean validation RMSE of the trials that `num_seeds` counts; null if there are none."""

    @classmethod
    def of(
        cls,
        record: TrialRecord,
        *,
        study: str,
        rank: int,
        pareto: bool,
        seeds: Sequence[TrialRecord] = (),
    ) -> Self:
        """Build the row of one trial.

        record: the trial's record. study: name of the trial's study. rank: position of the trial
        in the leaderboard, from 1; the row of a failed trial has the rank None. pareto: True if
        the trial is on the Pareto front of all trials of the leaderboard. seeds: the complete
        trials of the study that have the trial's config with any seed.
        """
        return cls(
            rank=None if record.status == "failed" else rank,
            study=study,
            id=record.id,
            architecture=record.architecture,
            status=record.status,
            published=record.published,
            origin=record.origin,
            val_rmse=record.val_rmse,
            best_epoch=record.best_epoch,
            epochs=record.epochs,
            tree_residual=record.tree_residual,
            pareto=pareto,
            feasible=record.feasible,
            device_seconds=record.device_seconds,
            reason=record.reason,
            config=record.config.model_dump(mode="json"),
            num_seeds=len(seeds),
            mean_val_rmse=mean_rmse(seeds) if seeds else None,
        )


class Leaderboard(JsonDocument):
    """A ranking of the finished trials of one study, or of several studies together."""

    study: str
    """Name of the study; names of several studies are joined by commas; empty without a study."""
    trials: tuple[LeaderboardRow, ...]
    """The trials, the best trial first."""

    def to_frame(self) -> "pd.DataFrame":
        """Return a DataFrame with one row per trial, the best trial first.

        The columns are the fields of `LeaderboardRow`, except `config`. The values of the config
        follow in columns with the names `config.FIELD`. Failed trials have the rank <NA>. A number
        that is None is NaN, and so is a field that the trial's architecture does not have. Without
        a trial the frame has no rows and no columns `config.FIELD`.
        """
        import pandas as pd  # here, because pandas takes half a second to load

        rows = [
            row.model_dump(exclude={"config"})
            | {f"config.{name}": value for name, value in row.config.items()}
            for row in self.trials
        ]
        fields = [name for name in LeaderboardRow.model_fields if name != "config"]
        frame = pd.DataFrame(rows, columns=None if rows else fields)
        return frame.astype({"rank": "Int64"})


def _merit(record: TrialRecord) -> tuple[int, bool, float, str]:
    """Return the sort key of a trial; the trial with the smallest key is the best trial.

    The key is: order of the status, whether the trial breaks the limit on the tree residual,
    validation RMSE (infinity if no epoch ended), id.
    """
    value = math.inf if record.val_rmse is None else record.val_rmse
    return _ORDER[record.status], record.feasible is False, value, record.id


def ranked(records: Iterable[TrialRecord]) -> list[TrialRecord]:
    """Return a new list of the trials in order of merit, the best trial first.

    Complete trials are before pruned trials, because pruned trials were not trained to the end.
    Failed trials are last. Within each of these groups, trials that break the study's limit on the
    tree residual are after all others. Then the lower validation RMSE is first, and a trial
    without an epoch is last. Equal trials are in the order of their ids.

    If the study has trained its best configs with further seeds, the best trial is that of the
    config with the lowest mean over its seeds (see `best_place`), and stands before all others.
    """
    order = sorted(records, key=_merit)
    if order:
        order.insert(0, order.pop(best_place(order)))
    return order


def best_trial(records: Iterable[TrialRecord]) -> TrialRecord:
    """Return the first complete trial of `ranked`; raise InvalidInput if no trial is complete."""
    order = ranked(records)
    if not order or order[0].status != "complete":
        raise InvalidInput("no trial of this study is complete yet")
    return order[0]


def both_objectives(record: TrialRecord) -> tuple[float, float] | None:
    """Return (validation RMSE, tree residual) of a complete trial at its best epoch.

    The result is None if the trial is not complete or has no tree residual.
    """
    if record.status != "complete" or record.val_rmse is None or record.tree_residual is None:
        return None
    return record.val_rmse, record.tree_residual


def pareto_front(records: Iterable[TrialRecord]) -> list[TrialRecord]:
    """Return the trials on the Pareto front of validation RMSE and mean tree residual.

    A complete trial is on the front if no other complete trial is at least as good in both values.
    Of trials that are equal in both values, only the trial with the lowest id can be on the front.
    A study's limit on the tree residual has no influence. The trial with the lowest RMSE is first
    in the list, and the trial with the lowest residual is last. The list is empty if no complete
    trial has both values.
    """
    values = [(both, record.id, record) for record in records if (both := both_objectives(record))]
    front: list[TrialRecord] = []
    least = math.inf
    for (_, residual), _, record in sorted(values, key=lambda value: value[:2]):
        if residual < least:
            front.append(record)
            least = residual
    return front


def published_trial(records: Iterable[TrialRecord]) -> TrialRecord | None:
    """Return the first complete trial of `ranked` with a published config; None if none exists.

    If no network of the student project has such a trial, the config of the defaults of another
    network takes its place (see `TrainingProtocol.FROM_NOTEBOOKS`).
    """
    first = [r for r in ranked(records) if r.published and r.status == "complete"]
    return next((r for r in first if r.config.FROM_NOTEBOOKS), first[0] if first else None)


def make_leaderboard(records: Mapping[str, Sequence[TrialRecord]]) -> Leaderboard:
    """Return the leaderboard of one study, or of several studies that are ranked together.

    records: the finished trials of each study, by the study's name. The order of the trials is
    that of `ranked`, and the Pareto front is that of all trials together. Without a trial the
    leaderboard has no rows.
    """
    owners = [(study, record) for study, trials in records.items() for record in trials]
    owners.sort(key=lambda owner: _merit(owner[1]))
    if owners:
        place = best_place([record for _, record in owners], [study for study, _ in owners])
        owners.insert(0, owners.pop(place))
    trials = [record for _, record in owners]
    front = {id(record) for record in pareto_front(trials)}
    groups = seed_groups(trials, [study for study, _ in owners])
    rows = [
        LeaderboardRow.of(
            record,
            study=study,
            rank=rank,
            pareto=id(record) in front,
            seeds=[trials[p] for p in groups.get((study, key_without_seed(record.config)), ())],
        )
        for rank, (study, record) in enumerate(owners, start=1)
    ]
    return Leaderboard(study=", ".join(records), trials=tuple(rows))
