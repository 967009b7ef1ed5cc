"""Functions that the Python face and the commands share: they run trials and write the report."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from galaxytune.cluster import ClusterAddress
from galaxytune.study import StudyFolder, data_at
from search_spaces.declaration import InvalidInput, given_path
from trainables.files import writing_to_a_given_place

if TYPE_CHECKING:
    from analysis.records import Ablation
    from galaxytune.tracking import StudyObserver


def run_trials(
    folder: StudyFolder, where: ClusterAddress, observers: "Sequence[StudyObserver] | None"
) -> None:
    """Run all trials of a study that have not ended; return when the last trial has ended.

    where: the Ray cluster. observers: are told what happens; None for the default observers, a
    progress display in a notebook and none elsewhere. The errors are those of `run_study`:
    InvalidInput, StudyInterrupted and WorkFailed.
    """
    from galaxytune.cluster import load_ray

    load_ray()
    from galaxytune.driver import run_study
    from galaxytune.tracking import default_observers

    told = default_observers() if observers is None else observers
    run_study(folder, where, observers=told)


def cluster_of(cluster: ClusterAddress | None) -> ClusterAddress:
    """Return the cluster that a caller gave, and a local Ray of all CPUs and GPUs for None.

    InvalidInput is raised if the caller gave anything else, such as the address alone.
    """
    if cluster is None:
        return ClusterAddress()
    if isinstance(cluster, ClusterAddress):
        return cluster
    raise InvalidInput(f"cluster must be a ClusterAddress, such as ClusterAddress({cluster!r})")


def ablate_in(
    folder: StudyFolder,
    seeds: int,
    *,
    data: str | Path | None,
    cluster: ClusterAddress | None,
    observers: "Sequence[StudyObserver] | None",
) -> "Ablation":
    """Train the path from the published to the best config of a study, and return the result.

    The arguments and the errors are those of `Study.ablate`.
    """
    from galaxytune.cluster import load_ray

    load_ray()
    from galaxytune.driver import ablate_study
    from galaxytune.tracking import default_observers

    told = default_observers() if observers is None else observers
    with data_at([folder], data):
        return ablate_study(folder, num_seeds=seeds, where=cluster_of(cluster), observers=told)


def report_folders(
    folders: Sequence[StudyFolder],
    out_dir: str | Path,
    *,
    images: str | Path | None,
    data: str | Path | None,
    on_step: Callable[[str], None] | None,
) -> Path:
    """Write a report of the studies in some folders; return the path of the page, report.html.

    The arguments and the errors are those of `galaxytune.report`, with folders for the studies.
    """
    from galaxytune.models import report_studies

    given = None if images is None else given_path(images)
    with data_at(folders, data), writing_to_a_given_place():
        return report_studies(
            folders, given_path(out_dir), given, on_step=on_step or (lambda step: None)
        )
