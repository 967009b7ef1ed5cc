"""The galaxy file of a study: the check of its fingerprint, and a file that has moved."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from galaxytune.plan import write_plan
from galaxytune.study.folder import StudyFolder
from search_spaces.declaration import InvalidInput, given_path
from trainables.galaxies import fingerprint


def check_data_unchanged(folder: StudyFolder) -> None:
    """Raise InvalidInput if the data file is not the file that the study began with.

    The arrays of the file are compared, so that a copy passes, whatever its path. The whole file
    is read. InvalidInput is also raised if the file is missing or damaged.
    """
    plan = folder.plan
    data = Path(plan.data)
    if not _is_file(data):
        raise InvalidInput(
            f"the galaxy file of study {plan.name!r} is not at {data}; tell where the file is "
            "with --data FILE, in Python with data=FILE"
        )
    if fingerprint(data) != plan.provenance.data_fingerprint:
        raise InvalidInput(
            f"{data} is not the file that study {plan.name!r} began with; "
            "name that file with --data FILE, or start a new study"
        )


def _is_file(path: Path) -> bool:
    """Return whether a file is at `path`; InvalidInput if its folder may not be entered."""
    try:
        return path.is_file()
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}") from None


@contextmanager
def data_at(folders: Sequence[StudyFolder], data: str | Path | None) -> Iterator[None]:
    """Let studies read their galaxies from the file `data` while the block runs.

    folders: the studies. data: the path as a person gave it; None for the paths in the stored
    plans. The stored plans stay as they are. The file is not read here: the block must call
    `check_data_unchanged`. InvalidInput is raised if the path cannot be.
    """
    before = [folder.moved_data for folder in folders]
    moved = None if data is None else given_path(data).resolve()
    try:
        for folder in folders:
            folder.moved_data = moved or folder.moved_data
        yield
    finally:
        for folder, earlier in zip(folders, before):
            folder.moved_data = earlier


def store_moved_data(folder: StudyFolder) -> None:
    """Write the path of the moved data file to plan.yaml; do nothing if no file has moved.

    The file must have been checked by `check_data_unchanged`. InvalidInput is raised if another
    process runs the study, OSError if the plan cannot be written.
    """
    if folder.moved_data is None:
        return
    if folder.state() == "running":
        raise InvalidInput(f"study {folder.name!r} is being run by another process")
    write_plan(folder.plan, folder.plan_file)
