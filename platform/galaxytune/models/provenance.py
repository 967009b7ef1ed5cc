"""The origin of an exported model: its study and trial, its data, versions and git commit."""

import subprocess
from pathlib import Path
from typing import Any

from galaxytune.plan import package_versions
from trainables.galaxies import Galaxies


def git_commit() -> str | None:
    """Return the commit of the git checkout in which this file lies, as 40 hexadecimal digits.

    None is returned if git does not know this file, for example because galaxytune is installed
    inside the checkout of another project, and if git is not installed.
    """
    known = _git("ls-files", "--error-unmatch", Path(__file__).name)
    return known and _git("rev-parse", "HEAD")


def _git(*arguments: str) -> str | None:
    """Return what git prints in the folder of this file; None if git fails or is not installed."""
    here = Path(__file__).resolve().parent
    try:
        answer = subprocess.run(
            ["git", *arguments], cwd=here, capture_output=True, text=True, check=False
        )
    except OSError:
        return None
    return answer.stdout.strip() if answer.returncode == 0 else None


def provenance_of(
    data_fingerprint: str,
    galaxies: Galaxies,
    *,
    study: str | None = None,
    trial: str | None = None,
) -> dict[str, Any]:
    """Return the origin of a model as plain values, for `provenance.json`.

    data_fingerprint: what `fingerprint` returns for the galaxy file. galaxies: the galaxies in
    that file. study, trial: name of the study and id of the trial; None for a single training run.

    The keys are `study`, `trial`, `data_fingerprint`, `versions` (see `package_versions`),
    `git_commit` (see `git_commit`), and `preprocessing` with `crop` and `side` in pixels and
    `resize`.
    """
    return {
        "study": study,
        "trial": trial,
        "data_fingerprint": data_fingerprint,
        "versions": package_versions(),
        "git_commit": git_commit(),
        "preprocessing": {
            "crop": galaxies.crop,
            "side": galaxies.images.shape[1],
            "resize": "bicubic",
        },
    }
