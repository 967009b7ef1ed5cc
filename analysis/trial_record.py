"""The record of a finished trial, one JSON line each in a study's `trials.jsonl`."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

Status = Literal["complete", "pruned", "failed"]


class TrialRecord(BaseModel):
    """How one trial ended and what it found.

    metrics: by split ("train", "validation"), those of the best epoch; empty for a trial that
    failed before its first epoch ended. device_seconds: training time times the share of a
    device (of CPU cores where it had no GPU) that the trial held.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    architecture: str
    config: dict[str, Any]
    published: bool  # whether it is the architecture's published config
    status: Status
    reason: str
    best_epoch: Annotated[int, Field(ge=0)]
    metrics: dict[str, dict[str, float]]
    epochs: Annotated[int, Field(ge=0)]
    device_seconds: float
    wandb_run_id: str | None
    retries: int = 0  # how often it was started again after its worker or node was lost
    config_failed: bool = False  # whether it failed for its config's sake, and would again
    feasible: bool | None = None  # whether its tree residual is within the study's limit
    micro_batch: int | None = None  # galaxies at once, where memory did not hold a whole batch

    @property
    def val_rmse(self) -> float | None:
        """Validation RMSE at the best epoch, None if no epoch ended."""
        return self.metrics.get("validation", {}).get("rmse")

    @property
    def tree_residual(self) -> float | None:
        """Mean tree residual at the best epoch, None if no epoch ended."""
        return self.metrics.get("validation", {}).get("tree_residual")

    def config_without(self, *names: str) -> dict[str, Any]:
        """The config but for some values: what trials that differ in those alone share."""
        return {key: value for key, value in self.config.items() if key not in names}


def differ_only_in(records: Iterable[TrialRecord], *names: str) -> bool:
    """Whether all these trials have the same config but for these values."""
    rest = [record.config_without(*names) for record in records]
    return all(values == rest[0] for values in rest)


def json_lines(path: Path) -> list[dict[str, Any]]:
    """The objects of a JSON-lines file; a last line that a crash cut short is left out."""
    if not path.exists():
        return []
    lines = path.read_text().split("\n")
    whole, rest = lines[:-1], lines[-1]
    objects: list[dict[str, Any]] = []
    for number, line in enumerate(whole, start=1):
        try:
            objects.append(json.loads(line))
        except json.JSONDecodeError:
            raise ValueError(f"{path} line {number} is not JSON: {line[:60]!r}") from None
    if rest:
        try:
            objects.append(json.loads(rest))
        except json.JSONDecodeError:
            pass  # the line was being written when the writer died; its trial will be run again
    return objects


def read_records(path: Path) -> list[TrialRecord]:
    """All records of a `trials.jsonl`, in the order in which the trials ended."""
    try:
        return [TrialRecord.model_validate(values) for values in json_lines(path)]
    except ValidationError as error:
        raise ValueError(f"{path} holds something that is no trial record: {error}") from None
