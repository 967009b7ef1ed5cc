"""The plan of a study: what is asked for, and what it was asked of."""

import hashlib
import importlib.metadata
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from galaxytune.grid import Grid, architecture_points, as_grid
from galaxytune.plan_checks import check_plan
from search_spaces import config_class
from search_spaces.declaration.frozen_config import (
    FrozenConfig,
    build,
    read_yaml,
    to_yaml,
)
from search_spaces.declaration.hyperparameters import hyperparameters
from search_spaces.declaration.pretrained_backbone import absolute
from search_spaces.declaration.training_protocol import TrainingProtocol
from trainables.files import write_atomically

WandbMode = Literal["offline", "online", "disabled"]
Pack = Literal["auto", "off"] | int
_REPORTED_PACKAGES = ("galaxytune", "torch", "ray", "optuna", "wandb", "numpy")


def as_pack(given: Any) -> Any:
    """A plan's `pack` as it is meant: YAML reads `off` as a boolean, options are text."""
    if given is False:
        return "off"
    number = int(given) if isinstance(given, str) and given.isdecimal() else given
    is_number = isinstance(number, int) and not isinstance(number, bool)
    if number in ("auto", "off") or (is_number and number >= 2):
        return number
    raise ValueError("should be auto, off or a number from 2")


class StudyPlan(FrozenConfig):
    """A search as a user asks for it; the keys of a plan file are these."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=80)]
    architectures: Annotated[tuple[str, ...], Field(min_length=1)]
    data: str
    trials: Annotated[int, Field(ge=1)]  # a grid decides it itself
    epochs: Annotated[int, Field(ge=1)] | None = None  # None: each architecture's own
    seed: Annotated[int, Field(ge=0)] = 0  # of the sampler and of every trial's training
    split: Literal["hash", "seed"] = "hash"
    num_galaxies: Annotated[int, Field(ge=10)] | None = None  # a subset, by hashed id
    as_published: bool = False  # what the student project did, its slips included
    set: dict[str, Any] = {}  # held fixed: `key: value` or `architecture.key: value`
    search_only: tuple[str, ...] = ()  # all other hyperparameters keep their defaults
    grid: Annotated[Grid, BeforeValidator(as_grid)] = ()  # these values instead of a search
    cpus_per_trial: Annotated[float, Field(gt=0)] = 1.0
    gpus_per_trial: Annotated[float, Field(ge=0)] = 0.0
    max_hours: Annotated[float, Field(gt=0)] | None = None  # of this driver's wall clock
    max_device_hours: Annotated[float, Field(gt=0)] | None = None  # of all trials' training
    target_rmse: Annotated[float, Field(gt=0)] | None = None  # of a complete trial's validation
    plateau_trials: Annotated[int, Field(ge=1)] | None = None  # so many without a better one
    max_silence_minutes: Annotated[float, Field(gt=0)] = 60.0  # a worker that is silent so long
    max_retries: Annotated[int, Field(ge=0)] = 3  # of lost workers, each time a trial begins
    objective: Literal["rmse", "rmse_and_residual"] = "rmse"
    max_tree_residual: Annotated[float, Field(gt=0)] | None = None  # above it: not feasible
    keep_checkpoints: Annotated[int, Field(ge=1)] = 5  # weights of so many best trials
    checkpoint_quota_gb: Annotated[float, Field(gt=0)] | None = None
    wandb: WandbMode = "offline"
    halving: bool = True  # whether trials pause at rungs; a grid's never do
    reduction_factor: Annotated[int, Field(ge=2)] = 3  # of halving: docs/choices.md
    pack: Annotated[Pack, BeforeValidator(as_pack)] = "auto"  # trials trained as one, at most
    grace_epochs: Annotated[int, Field(ge=1)] | None = None
    #   no trial pauses before so many epochs; None: measured on those that go on

    @property
    def has_two_objectives(self) -> bool:
        """Whether the tree residual is an objective beside the RMSE."""
        return self.objective == "rmse_and_residual"

    @property
    def stops_early(self) -> bool:
        """Whether halving may let a trial pause, and end, before its last epoch."""
        return self.halving and not self.grid

    @property
    def longest_epochs(self) -> int:
        """Epochs of the longest trial."""
        return max(self.published_config(name).epochs for name in self.architectures)

    def fixed_values(self, architecture: str) -> dict[str, Any]:
        """The values that the plan holds fixed for one architecture."""
        cls = config_class(architecture)
        fixed = dict(cls.PUBLISHED) if self.as_published else {}
        if self.grid or self.search_only:
            held = [h.name for h in hyperparameters(cls) if h.name not in self.search_only]
            fixed = {name: cls.model_fields[name].default for name in held} | fixed
        for key, value in self.set.items():
            owner, dot, field = key.rpartition(".")
            if dot and owner == architecture:
                fixed[field] = value
            elif not dot and key in cls.model_fields:
                fixed[key] = value
        own = {} if self.epochs is None else {"epochs": self.epochs}
        return {**fixed, "architecture": architecture, **own, "seed": self.seed}

    def published_config(self, architecture: str) -> TrainingProtocol:
        """The published config, save for what the plan holds fixed; checks those values."""
        return build(config_class(architecture), self.fixed_values(architecture))

    def grid_configs(self) -> list[tuple[dict[str, Any], TrainingProtocol]]:
        """Every point of the grid with its config, one architecture beside the other."""
        return [
            (point, build(config_class(name), self.fixed_values(name) | point))
            for point, name in architecture_points(self.grid, self.architectures)
        ]


class StudyProvenance(FrozenConfig):
    """What a study was run on: kept in plan.yaml beside what was asked."""

    study_id: str  # in W&B run ids; two studies of one name differ in it
    created: str
    data_fingerprint: str
    num_galaxies_by_part: dict[str, int]
    versions: dict[str, str]


class StoredPlan(StudyPlan):
    """A plan as it stands in a study folder."""

    provenance: StudyProvenance


def _completed(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values with what follows from others: a grid's trials, the published split."""
    completed = dict(values)
    if completed.get("as_published"):
        completed.setdefault("split", "seed")
    architectures, grid = completed.get("architectures"), as_grid(completed.get("grid") or [])
    if not grid or not isinstance(architectures, (list, tuple)):
        return completed
    try:
        num_points = len(architecture_points(grid, architectures))
    except (AttributeError, TypeError):
        raise ValueError(f"grid must hold keys with lists of values, got {grid!r}") from None
    if completed.setdefault("trials", num_points) != num_points:
        raise ValueError(f"this plan's grid makes {num_points} trials, not {completed['trials']}")
    return completed


def make_plan(values: Mapping[str, Any]) -> StudyPlan:
    """Build a plan and check every architecture and fixed value; ValueError in one line."""
    plan = build(StudyPlan, _completed(values))
    if len(set(plan.architectures)) != len(plan.architectures):
        raise ValueError(f"an architecture is named twice: {', '.join(plan.architectures)}")
    for architecture in plan.architectures:
        config_class(architecture)
    check_plan(plan)
    if plan.gpus_per_trial > 1 and plan.gpus_per_trial % 1:
        raise ValueError(f"gpus_per_trial above 1 must be whole, got {plan.gpus_per_trial:g}")
    return plan


def package_versions() -> dict[str, str]:
    """Versions of Python and of the packages that decide a result."""
    found = {name: importlib.metadata.version(name) for name in _REPORTED_PACKAGES}
    return {"python": platform.python_version(), **found}


def with_absolute_files(plan: StudyPlan) -> StudyPlan:
    """The plan with whole paths, so that a resume from another folder finds the same files."""

    def whole(name: str, value: Any) -> Any:
        is_weights = name.rpartition(".")[2] == "weights" and isinstance(value, str)
        return absolute(value) if is_weights else value

    settings = {name: whole(name, value) for name, value in plan.set.items()}
    grid = tuple(
        {name: [whole(name, v) for v in given] for name, given in values.items()}
        for values in plan.grid
    )
    data = str(Path(plan.data).resolve())
    return plan.model_copy(update={"data": data, "set": settings, "grid": grid})


def store_plan(
    plan: StudyPlan, *, data_fingerprint: str, num_galaxies_by_part: dict[str, int]
) -> StoredPlan:
    """The plan with its provenance, made now."""
    created = datetime.now(UTC).isoformat(timespec="seconds")
    digest = hashlib.sha256(f"{plan.name} {created} {data_fingerprint}".encode()).hexdigest()
    provenance = StudyProvenance(
        study_id=digest[:8],
        created=created,
        data_fingerprint=data_fingerprint,
        num_galaxies_by_part=num_galaxies_by_part,
        versions=package_versions(),
    )
    return StoredPlan(**plan.model_dump(), provenance=provenance)


def write_plan(plan: StoredPlan, path: Path) -> None:
    """Write a stored plan as YAML, whole or not at all."""
    write_atomically(path, lambda temporary: temporary.write_text(to_yaml(plan)))


def read_plan(path: Path) -> StoredPlan:
    """Read a stored plan."""
    return build(StoredPlan, read_yaml(path))
