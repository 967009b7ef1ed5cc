"""The record of a finished trial: one line of JSON in a study's `trials.jsonl`."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SerializeAsAny, ValidationError

from search_spaces.declaration import InvalidInput, TrainingProtocol, config_from_values
from trainables.files import read_json_lines
from trainables.training import Curve

Status = Literal["complete", "pruned", "failed"]
Origin = Literal["published", "learned", "recommended", "drawn", "grid", "seed"]
Curves = Mapping[str, Curve]  # the reported epochs of each trial, by trial id


def _as_config(given: Any) -> Any:
    """Return a mapping as the frozen config with these values; return anything else unchanged.

    A mapping that describes no config raises InvalidInput.
    """
    return config_from_values(given) if isinstance(given, Mapping) else given


class TrialRecord(BaseModel):
    """A frozen record of one finished trial with its config, metrics, and reason of its end.

    A wrong value raises pydantic's ValidationError.
    """

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    id: str
    """Number of the trial in its study, with leading zeros: `00007`.

    In a report of several studies the id is STUDY/NUMBER.
    """
    architecture: str
    """Name of the trial's architecture."""
    config: Annotated[SerializeAsAny[TrainingProtocol], BeforeValidator(_as_config)]
    """The frozen config that was trained; a mapping of its values by field name is accepted."""
    published: bool
    """Whether the study ran the trial as the published config of the trial's architecture.

    The values that the study fixes replace published values. In a grid, the seed may be any seed.
    """
    origin: Origin | None = None
    """Where the config comes from.

    published: the published config. learned: a good config of an earlier study. recommended: a
    config that galaxytune recommends. drawn: drawn by the sampler. grid: a point of a grid. seed:
    the config of an earlier trial with a further seed. Null in a record of an older version.
    """
    status: Status
    """complete: the training came to its own end, by its last epoch or by early stopping.

    pruned: successive halving, the study's budget or a lack of disk space ended the trial early.
    failed: the training or the trial's worker failed; see `reason`.
    """
    reason: str
    """Why the trial ended, in words."""
    best_epoch: Annotated[int, Field(ge=0)]
    """Number, from 1, of the epoch with the lowest monitored metric; 0 if no epoch ended."""
    metrics: dict[str, dict[str, float]]
    """Metrics of the best epoch by part and name: `{"train": {...}, "validation": {...}}`.

    The names are `loss` and `rmse` and, for `validation`, also `tree_residual` and `rmse_q1` to
    `rmse_q11`. Empty if no epoch ended.
    """
    epochs: Annotated[int, Field(ge=0)]
    """Number of epochs that the trial reported."""
    device_seconds: float
    """Seconds of all epochs, times the trial's share of a GPU, or its CPUs if it had no GPU."""
    wandb_run_id: str | None
    """Id of the trial's W&B run; null if W&B is disabled in the study."""
    retries: int = 0
    """Number of restarts of the trial after its worker raised an error, was lost or was silent."""
    config_failed: bool = False
    """Whether the training itself failed (it diverged or memory did not hold it).

    A repeat of the trial would fail too. False if the trial did not fail, or if its worker failed.
    """
    feasible: bool | None = None
    """Whether the tree residual of the best epoch is within the study's limit.

    Null if the study has no limit, or if no epoch ended.
    """
    micro_batch: int | None = None
    """Number of galaxies that went through the network at once, fewer than a batch.

    Null if memory held a whole batch, or if the number was not reported.
    """
    further_seed: bool = False
    """Whether a search trained the config of one of its earlier trials again with another seed."""

    @property
    def val_rmse(self) -> float | None:
        """Validation RMSE over all N x 37 values at the best epoch; None if no epoch ended."""
        return self.metrics.get("validation", {}).get("rmse")

    @property
    def tree_residual(self) -> float | None:
        """Mean tree residual of validation galaxies at the best epoch; None if no epoch ended.

        The residual is the mean over galaxies and questions of |answers' sum - parents' sum|, by
        the true tree.
        """
        return self.metrics.get("validation", {}).get("tree_residual")

    def config_without(self, *names: str) -> dict[str, Any]:
        """Return the values of the config by field name, without the fields in `names`.

        The values are ready for JSON; tuples are lists. A name that is no field has no effect. Two
        trials give equal results if their configs differ only in the fields in `names`.
        """
        return self.config.model_dump(mode="json", exclude=set(names))


def differ_only_in(records: Iterable[TrialRecord], *names: str) -> bool:
    """Return whether the configs of all trials agree in every field except the fields in `names`.

    The architecture is one of the fields. The result is True if there is no trial.
    """
    rest = [record.config_without(*names) for record in records]
    return all(values == rest[0] for values in rest)


def read_records(path: Path) -> list[TrialRecord]:
    """Return all records of a `trials.jsonl`, in the order in which the trials ended.

    path: path of the file. The list is empty if the file does not exist. A last line that a crash
    cut short, so that it is not JSON, is left out. Any other line that is not a trial record
    raises InvalidInput. OSError is raised if the file cannot be read.
    """
    records = []
    for number, values in enumerate(read_json_lines(path), start=1):
        try:
            records.append(TrialRecord.model_validate(values))
        except ValidationError as error:
            problem = error.errors()[0]
            where = ".".join(map(str, problem["loc"]))
            raise InvalidInput(
                f"{path} line {number} is no trial record: {where}: {problem['msg']}"
            ) from None
    return records
