"""Functions that run a search, open a study, and rank or report one or more studies."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from galaxytune.api.running import cluster_of, report_folders, run_trials
from galaxytune.api.study import Study
from galaxytune.cluster import ClusterAddress
from galaxytune.plan import StudyPlan, make_plan, plan_values
from galaxytune.study import (
    StudyFolder,
    check_free_name,
    leaderboard_of,
    new_study,
    open_folder,
)
from search_spaces.declaration import InvalidInput, given_path
from trainables.files import writing_to_a_given_place
from trainables.galaxies import open_galaxies, split_galaxies

if TYPE_CHECKING:
    from analysis.records import Leaderboard
    from galaxytune.tracking import StudyObserver

_STUDIES = Path("studies")


def search(
    plan: StudyPlan | Mapping[str, Any] | str | Path,
    *,
    storage: str | Path = _STUDIES,
    cluster: ClusterAddress | None = None,
    observers: "Sequence[StudyObserver] | None" = None,
) -> "Study":
    """Make a study and run all of its trials; return when the last trial or a budget has ended.

    The first trial of each architecture has the published config, with the values that the plan
    holds fixed; Optuna draws the configs of the other trials. The last trials train the best
    configs with further seeds, as far as `seed_share` of the plan allows. A grid has its own
    configs.

    Ctrl-C once lets running epochs end and raises StudyInterrupted, so that `Study.resume` can go
    on. Ctrl-C twice stops at once with KeyboardInterrupt. SIGTERM counts like Ctrl-C. Both signals
    are handled in this way only if the main thread calls `search`.

    Args:
        plan: What to search: a StudyPlan, a mapping of the keys and values of a StudyPlan, or the
            path of a plan file. A relative path of the data begins at the current folder.
        storage: Folder that holds the studies. A folder with the study's name is made there; the
            study writes all its files into this folder.
        cluster: Where to run; by default a local Ray on all CPUs and GPUs, which is ended at the
            end. If this process is connected to Ray already, that connection is used instead.
        observers: Objects that are told what happens; [] for none. By default a Jupyter notebook
            shows a progress display, and any other program nothing.

    Returns:
        The finished study, which a notebook shows as its leaderboard. A trial that failed raises
        no error; the study's records say why it failed.

    Raises:
        InvalidInput: The plan or the data is wrong, W&B would refuse a setting of the user or
            finds no API key for a plan that is online, a study of that name exists, or its folder
            holds other files, the storage cannot be written, no cluster answers, or no node can
            hold a trial.
        StudyInterrupted: Ctrl-C or SIGTERM stopped the study.
        WorkFailed: Trials are left for another reason, such as a full disk.
        OSError: The disk refuses before the first trial, for example because it is full.

    Example:
        >>> import galaxytune
        >>> plan = {
        ...     "name": "first",
        ...     "architectures": ["simple_cnn"],
        ...     "data": "galaxies.npz",
        ...     "trials": 2,
        ...     "epochs": 1,
        ...     "set": {"width": 0.1, "batch_size": 32},
        ...     "wandb": "disabled",
        ... }
        >>> study = galaxytune.search(plan)
        >>> study.status().counts["complete"]
        2
    """
    from galaxytune.cluster import ray_connection, trials_at_once

    asked = _plan_of(plan)
    where, folder = cluster_of(cluster), given_path(storage)
    check_search(asked, folder)  # before Ray is asked for
    with ray_connection(where):
        trials_at_once(asked.cpus_per_trial, asked.gpus_per_trial)  # an impossible plan is refused
        with writing_to_a_given_place("name another --storage"):
            study = Study(new_study(asked, folder))
        run_trials(study.folder, where, observers)
    return study


def check_search(plan: StudyPlan, storage: Path) -> None:
    """Raise InvalidInput if a search is refused for a reason that is known without a cluster.

    plan: what is searched. storage: the folder of the studies. The reasons are the study's name,
    the data and its split, and the settings of W&B. The networks are not checked.
    """
    from galaxytune.tracking import check_wandb

    check_free_name(storage, plan.name)
    galaxies = open_galaxies(Path(plan.data))
    split_galaxies(galaxies, plan.split, plan.num_galaxies)
    check_wandb(plan.wandb)


def _plan_of(plan: StudyPlan | Mapping[str, Any] | str | Path) -> StudyPlan:
    """Return the plan that `search` was given; InvalidInput if the plan or its file is wrong."""
    if isinstance(plan, StudyPlan):
        return plan
    if isinstance(plan, Mapping):
        return make_plan(plan)
    if isinstance(plan, str | Path):
        return make_plan(plan_values(given_path(plan), {}))
    kind = type(plan).__name__
    raise InvalidInput(f"a plan must be a StudyPlan, a mapping or the path of a file, got {kind}")


def _folders_of(studies: "Sequence[Study]") -> list[StudyFolder]:
    """Return the folders of studies; InvalidInput if one of them is no Study."""
    for study in studies:
        if not isinstance(study, Study):
            kind = type(study).__name__
            raise InvalidInput(f"studies must be as `open_study` returns them, got a {kind}")
    return [study.folder for study in studies]


def open_study(name: str, *, storage: str | Path = _STUDIES) -> "Study":
    """Open a study that was made before.

    Args:
        name: Name of the study.
        storage: Folder that holds the studies.

    Returns:
        The study. No trial runs before `Study.resume` is called, unless another process runs the
        study.

    Raises:
        InvalidInput: There is no such study. The message offers a similar name, or names the
            studies that there are.

    Example:
        >>> import galaxytune
        >>> galaxytune.open_study("first").plan.trials
        2
    """
    return Study(open_folder(given_path(storage), name))


def rank(*studies: "Study") -> "Leaderboard":
    """Rank the trials that have ended, of one study or of several studies together.

    Args:
        *studies: The studies, at least one, with different names. They should have been run on
            the same galaxies; this is not checked.

    Returns:
        The leaderboard, best trial first: complete trials, then pruned, then failed trials, each
        by validation RMSE. If the best configs were trained with further seeds, the best trial of
        the config with the lowest mean stands first. The leaderboard has the fields ``study`` and
        ``trials``, and `to_frame()` makes a DataFrame of it. ``trials`` is empty if no trial has
        ended.

    Raises:
        InvalidInput: No study is given, two studies have the same name, or the records of a study
            are damaged.

    Example:
        >>> import galaxytune
        >>> galaxytune.rank(galaxytune.open_study("first")).trials[0].rank
        1
    """
    return leaderboard_of(_folders_of(studies))


def report(
    studies: "Study | Sequence[Study]",
    out_dir: str | Path,
    *,
    images: str | Path | None = None,
    data: str | Path | None = None,
    on_step: Callable[[str], None] | None = None,
) -> Path:
    """Write a report of one or more studies on the same galaxies.

    Predictions for the test galaxies that are computed for the report are kept in the report
    folder of each study.

    Args:
        studies: One study, or several studies with different names.
        out_dir: Folder for the page, tables, ``findings.txt``, and every figure as PNG and PDF.
            The folder is made if it does not exist.
        images: Folder, zip or catalog of the survey's JPEGs, named by galaxy id. The report shows
            up to three of them that are test galaxies. None for no such images.
        data: The galaxy file of the studies, if it is no longer where their plans say. A file with
            other arrays is refused. The plans stay as they are.
        on_step: Is called with a text before each network predicts, with the title of each section
            that is written, and with a note, which begins with ``note: ``, on what is missing.

    Returns:
        The path of the page, ``report.html``, which needs no other file.

    Raises:
        InvalidInput: No study is given, two studies have the same name, the folder cannot be
            written, the studies were run on different galaxies or splits, no trial has ended, a
            data file has changed, or `images` holds no image or a damaged image.
        WorkFailed: Memory does not hold a prediction.
        OSError: The disk refuses for another reason than permission, such as a full disk.

    Example:
        >>> import galaxytune
        >>> galaxytune.report([galaxytune.open_study("first")], "report").name
        'report.html'
    """
    several = studies if isinstance(studies, Iterable) else [studies]
    folders = _folders_of(list(several))
    return report_folders(folders, out_dir, images=images, data=data, on_step=on_step)
