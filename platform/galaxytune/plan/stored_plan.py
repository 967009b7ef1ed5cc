"""A plan as a study's folder stores it: with the data, packages and search spaces of its start."""

import hashlib
import importlib.metadata
import json
import platform
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from galaxytune.plan.study_plan import StudyPlan
from search_spaces.declaration import FrozenConfig, InvalidInput, build, read_yaml, to_yaml
from trainables.files import write_atomically

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

    from search_spaces.declaration import SearchSpace

# Fields that galaxytune 0.1.0, whose studies do not name their search spaces, did not search.
_NOT_SEARCHED_BY_0_1_0 = {
    "kept_weights",
    "averaging_epochs",
    "zoom_axes",
    "brightness",
    "head",
    "output_bias",
    "resampling",
    "calibration",
}
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
    search_spaces: dict[str, dict[str, dict[str, Any]]] = {}
    """Distribution of each searched field, as Optuna's JSON, by architecture and field; {} in a
    study of galaxytune 0.1.0."""


class StoredPlan(StudyPlan):
    """A plan of a study that exists, with the study's provenance.

    Only the types and ranges of single fields are checked when a stored plan is built.
    """

    provenance: StudyProvenance
    seed_share: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """As in StudyPlan; a study of an older version has no such key and trains no further seeds."""

    def wandb_run_id(self, trial_id: str) -> str:
        """Return the id of a trial's W&B run, which is the same on every resume."""
        return f"{self.provenance.study_id}-{trial_id}"

    def _distributions_by_field(self, architecture: str) -> "Mapping[str, BaseDistribution]":
        """Return the distribution of each field that the study searches, by field name.

        The study goes on in the space in which it began, even if this version searches more
        fields or other ranges. A stored distribution that cannot be read raises InvalidInput.
        """
        # the imports load Optuna, which `galaxytune status` does not need
        from optuna.distributions import json_to_distribution

        from search_spaces.declaration import config_class, hyperparameters

        stored = self.provenance.search_spaces.get(architecture)
        if stored is None:
            declared = hyperparameters(config_class(architecture))
            return {
                h.name: h.distribution for h in declared if h.name not in _NOT_SEARCHED_BY_0_1_0
            }
        try:
            return {name: json_to_distribution(json.dumps(d)) for name, d in stored.items()}
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidInput(
                f"the search space of {architecture} in the study's plan.yaml is damaged: {error}"
            ) from None


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

    The provenance also holds the search spaces of the plan's architectures. No file is written
    (see `write_plan`). data_fingerprint: what `fingerprint` returns for the galaxy file.
    num_galaxies_by_part: number of galaxies of the parts training, validation and test, by name.
    """
    created = datetime.now(UTC).isoformat(timespec="seconds")
    digest = hashlib.sha256(f"{plan.name} {created} {data_fingerprint}".encode()).hexdigest()
    provenance = StudyProvenance(
        study_id=digest[:8],
        created=created,
        data_fingerprint=data_fingerprint,
        num_galaxies_by_part=num_galaxies_by_part,
        versions=package_versions(),
        search_spaces={name: _as_json(space) for name, space in plan.spaces.items()},
    )
    return StoredPlan(**plan.model_dump(), provenance=provenance)


def _as_json(space: "SearchSpace") -> dict[str, dict[str, Any]]:
    """Return the distribution of each searched field of a space, as Optuna's JSON, by field."""
    from optuna.distributions import distribution_to_json  # the import loads Optuna

    return {h.name: json.loads(distribution_to_json(h.distribution)) for h in space.free}


def write_plan(plan: StoredPlan, path: Path) -> None:
    """Write a stored plan to `path` as YAML; the file is replaced in one step.

    OSError is raised if the file cannot be written.
    """
    write_atomically(path, lambda temporary: temporary.write_text(to_yaml(plan)))


def read_plan(path: Path) -> StoredPlan:
    """Return the stored plan of a YAML file; InvalidInput if it is missing or damaged."""
    return build(StoredPlan, read_yaml(path))
