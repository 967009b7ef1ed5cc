"""The studies that trained a study's best configs again with fresh seeds."""

import re
from pathlib import Path

import numpy as np

from galaxytune.study.folder import StudyFolder

_CONFIRMS = "-confirm-"


def confirmation_name(name: str, num_seeds: int) -> str:
    """Return the name of the study that trains the best configs of study `name` again."""
    return f"{name}{_CONFIRMS}{num_seeds}"


def confirming_studies(folder: StudyFolder) -> list[StudyFolder]:
    """Return the studies beside a study that trained its best configs again, sorted by name.

    A study counts if it has the name that `confirm` gives, the same galaxies and the same split. A
    damaged plan or split raises InvalidInput.
    """
    found = []
    for path in sorted(folder.path.parent.iterdir()):
        name, _, number = path.name.rpartition(_CONFIRMS)
        if name != folder.name or not re.fullmatch(r"[0-9]+", number):
            continue
        other = StudyFolder(path)
        if other.plan_file.is_file() and _same_galaxies(folder, other):
            other.moved_data = folder.moved_data or Path(folder.plan.data)
            found.append(other)
    return found


def _same_galaxies(first: StudyFolder, second: StudyFolder) -> bool:
    """Return whether two studies have the same galaxies in the same parts."""
    fingerprints = {s.plan.provenance.data_fingerprint for s in (first, second)}
    parts = (s.split_rows().parts().values() for s in (first, second))
    return len(fingerprints) == 1 and all(np.array_equal(a, b) for a, b in zip(*parts))
