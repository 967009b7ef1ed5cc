"""A plan as a study's folder stores it: with the data and packages that the study ran on."""

import hashlib
import importlib.metadata
import platform
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from galaxytune.plan.study_plan import StudyPlan
from search_spaces.declaration import FrozenConfig, build, read_yaml, to_yaml
from trainables.files import write_atomically

_REPORTED_PACKAGES = ("galaxytune", "torch", "ray", "optuna", "wandb", "numpy")


class StudyProvenance(FrozenConfig):
    """The data and packages that a study ran on; `plan.yaml` holds them beside the plan."""

    study_id: str
    """First part of the ids of the study's W&B runs; differs between studies of the same name."""
    created: str
    """Time at which the study was made, in UTC and ISO 8601."""
    data_fingerprint: str
    """SHA-256 of the arrays of the galaxy file."""
    num_galaxies_by_part: dict[str, int]
    """Number of galaxies of each part: training, validation and test."""
    versions: dict[str, str]
    """Versions of Python and of the packages that can change a result."""


class StoredPlan(StudyPlan):
    """A plan of a study that exists, with the study's provenance.

    Only the types and ranges of single fields are checked when a stored plan is built.
    """

    provenance: StudyProvenance

    def wandb_run_id(self, trial_id: str) -> str:
        """Return the id of a trial's W&B run, which is the same on every resume."""
        return f"{self.provenance.study_id}-{trial_id}"


def package_versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that can change a result, by name.

    The names are `python`, `galaxytune`, `torch`, `ray`, `optuna`, `wandb` and `numpy`. A package
    that is not installed is left out: a search without W&B needs no `wandb`.
    """
    versions = {"python": platform.python_version()}
    for name in _REPORTED_PACKAGES:
        with suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return versions


def store_plan(
    plan: StudyPlan, *, data_fingerprint: str, num_galaxies_by_part: dict[str, int]
) -> StoredPlan:
    """Return the plan with a new provenance: a new study id, the time now, and the versions here.

    No file is written (see `write_plan`). data_fingerprint: what `fingerprint` returns for the
    galaxy file. num_galaxies_by_part: number of galaxies of the parts training, validation and
    test, by name.
    """
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
    """Write a stored plan to `path` as YAML; the file is replaced in one step.

    OSError is raised if the file cannot be written.
    """
    write_atomically(path, lambda temporary: temporary.write_text(to_yaml(plan)))


def read_plan(path: Path) -> StoredPlan:
    """Return the stored plan of a YAML file; InvalidInput if it is missing or damaged."""
    return build(StoredPlan, read_yaml(path))
