"""Functions that make a study, open a study, and change its plan."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from galaxytune.plan import (
    CHANGEABLE,
    StoredPlan,
    StudyPlan,
    check_networks,
    store_plan,
    with_absolute_files,
    write_plan,
)
from galaxytune.study.earlier_trials import EarlierTrial
from galaxytune.study.folder import StudyFolder
from galaxytune.study.learning import trials_of_studies
from search_spaces.declaration import InvalidInput, build, did_you_mean
from trainables.files import check_can_write, write_atomically, write_json_lines
from trainables.galaxies import (
    Galaxies,
    Split,
    fingerprint,
    open_galaxies,
    save_split,
    split_galaxies,
)

_LONGEST = 255  # bytes of a name in a folder
_REMEDY = "name another --storage"
# What a creation that was cut short leaves in a folder; a lock may be left as well.
_UNFINISHED = {"curves", "checkpoints", "split.npz", "earlier_trials.jsonl", "driver.lock"}


def check_free_name(storage: Path, name: str) -> None:
    """Raise InvalidInput if no study `name` can be made in the folder `storage`.

    The reasons are a study of that name, a folder of that name that holds other files, such as
    those of a study whose plan.yaml is gone, and a storage that cannot be written. Nothing is
    made.
    """
    folder = StudyFolder(storage.resolve() / name)
    check_can_write(folder.path, _REMEDY)
    if folder.plan_file.exists():
        raise InvalidInput(
            f"study {name!r} exists in {storage}; choose another name, or continue the study "
            f"with `galaxytune resume {name}`, in Python with `Study.resume`"
        )
    others = sorted(path.name for path in _foreign(folder.path))
    if folder.records_file.name in others or folder.journal_file.name in others:
        raise InvalidInput(
            f"{folder.path} holds the files of a study, but no plan.yaml; put the study's "
            "plan.yaml back, or choose another name"
        )
    if others:
        raise InvalidInput(
            f"{folder.path} holds other files than a study, such as {others[0]}; choose another "
            "name, or name another --storage"
        )


def _foreign(folder: Path) -> Iterator[Path]:
    """Yield what a folder holds that no creation of a study has left; nothing without a folder."""
    for path in folder.iterdir() if folder.is_dir() else ():
        is_empty_folder = path.is_dir() and not any(path.iterdir())
        is_left = path.name in _UNFINISHED and (is_empty_folder or path.is_file())
        if not is_left and not path.name.startswith(".plan.yaml."):
            yield path


def new_study(plan: StudyPlan, storage: Path) -> StudyFolder:
    """Make the folder of a new study in the folder `storage`, and return the study's folder.

    plan: the plan, whose files are stored as absolute paths. storage: need not exist. First the
    name, the networks and the whole data file are checked, and the data is split.

    InvalidInput is raised if a study of that name cannot be made (see `check_free_name`), if an
    earlier study teaches nothing (see `trials_of_studies`), if a network is not available, or if
    the data file is missing or damaged or too small for the split. OSError is raised if the folder
    cannot be written.
    """
    plan = _with_earlier_studies(with_absolute_files(plan), storage)
    check_free_name(storage, plan.name)
    earlier = trials_of_studies(plan.learn_from)
    check_networks(plan)
    data = Path(plan.data)
    galaxies = open_galaxies(data)
    split = split_galaxies(galaxies, plan.split, plan.num_galaxies)
    stored = store_plan(
        plan,
        data_fingerprint=fingerprint(data),
        num_galaxies_by_part={part: len(rows) for part, rows in split.parts().items()},
    )
    return _create(storage, stored, galaxies, split, earlier)


def _with_earlier_studies(plan: StudyPlan, storage: Path) -> StudyPlan:
    """Return a plan whose `learn_from` has absolute paths.

    A text that is no folder, but the name of a study in the folder `storage`, stands for this
    study.
    """
    paths = [Path(text) for text in plan.learn_from]
    found = [
        storage / path if not path.is_dir() and (storage / path / "plan.yaml").is_file() else path
        for path in paths
    ]
    return plan.model_copy(update={"learn_from": tuple(str(path.resolve()) for path in found)})


def _create(
    storage: Path,
    plan: StoredPlan,
    galaxies: Galaxies,
    split: Split,
    earlier: Sequence[EarlierTrial],
) -> StudyFolder:
    """Write the files of a new study into STORAGE/NAME, and return that folder.

    InvalidInput is raised if the name is not free, OSError if a file cannot be written.
    """
    check_free_name(storage, plan.name)  # the checks of the data took a while
    folder = StudyFolder(storage.resolve() / plan.name)
    for path in (folder.curves_folder, folder.checkpoints):
        path.mkdir(parents=True, exist_ok=True)
    save_split(folder.split_file, split, galaxies.ids)
    if earlier:
        write_json_lines(folder.earlier_file, [trial.as_values() for trial in earlier])
    write_plan(plan, folder.plan_file)  # written last, because a folder with a plan is whole
    return folder


def open_folder(storage: Path, name: str) -> StudyFolder:
    """Return the folder of the study `name` in the folder `storage`; its files are not read.

    If there is no such study, InvalidInput is raised; the message names the study with the most
    similar name, or else all studies that there are. A path in place of the name is refused, too.
    """
    _check_name(storage, name)
    folder = StudyFolder(storage.resolve() / name)
    if not folder.plan_file.exists():
        known = [p.parent.name for p in storage.glob("*/plan.yaml")]
        hint = did_you_mean(name, known) if known else "; there are none"
        raise InvalidInput(f"no study {name!r} in {os.fspath(storage)}{hint}")
    return folder


def _check_name(storage: Path, name: str) -> None:
    """Raise InvalidInput if `name` is no name of a study, for example a path or an empty text."""
    if not isinstance(name, str):
        raise InvalidInput(f"the name of a study must be a text, got {name!r}")
    if "/" in name:
        parent, _, last = name.rstrip("/").rpartition("/")
        remedy = f"give {last} with --storage {parent}" if parent and last else "give the name"
        raise InvalidInput(f"a study is named without its folder, got {name!r}; {remedy}")
    if name in ("", ".", "..") or not name.isprintable() or len(os.fsencode(name)) > _LONGEST:
        raise InvalidInput(f"no study in {os.fspath(storage)} can have the name {name[:99]!r}")


def change_plan(folder: StudyFolder, changes: Mapping[str, Any]) -> None:
    """Change keys of a study's stored plan, so that a study that a budget ended can go on.

    changes: the new values, by key of CHANGEABLE; an empty mapping leaves everything as it is.
    plan.yaml is written again, and ended.json is deleted.

    InvalidInput is raised if a key may not change, if a value has the wrong type or range, if
    fewer trials are asked for than have ended, if the number of trials of a grid is to change, or
    if another process runs the study. OSError is raised if the plan cannot be written.
    """
    if not changes:
        return
    for key in changes:
        if key not in CHANGEABLE:
            raise InvalidInput(f"a resume cannot change {key!r}{did_you_mean(key, CHANGEABLE)}")
    if folder.state() == "running":
        raise InvalidInput(f"study {folder.name!r} is being run by another process")
    if folder.plan.grid and "trials" in changes:
        raise InvalidInput("a grid decides the number of its trials itself")
    changed = build(StoredPlan, folder.plan.model_dump() | dict(changes))
    num_ended = len(folder.records())
    if changed.trials < num_ended:
        raise InvalidInput(f"trials must be at least {num_ended}: so many trials have ended")
    write_plan(changed, folder.plan_file)
    folder.ended_file.unlink(missing_ok=True)


@contextmanager
def plan_kept_if_refused(folder: StudyFolder) -> Iterator[None]:
    """Write the files plan.yaml and ended.json as before if the block raises InvalidInput.

    The block changes the plan and then runs trials. InvalidInput means that no trial has run, so
    that the changes are to have no effect. OSError is raised if a file cannot be written.
    """
    files = (folder.plan_file, folder.ended_file)
    before = {path: path.read_bytes() for path in files if path.exists()}
    try:
        yield
    except InvalidInput:
        for path, content in before.items():
            if not path.exists() or path.read_bytes() != content:
                _write(path, content)
        raise


def _write(path: Path, content: bytes) -> None:
    """Replace a file in one step; OSError if the file cannot be written."""
    write_atomically(path, lambda new: new.write_bytes(content))
