"""The folder for the temporary files of a local Ray, whose path must be short.

Ray puts Unix sockets into the folder, and the path of a Unix socket has at most 107 bytes.
"""

import os
import shutil
import tempfile
from pathlib import Path

from search_spaces.declaration import InvalidInput
from trainables.files import check_can_write

_LONGEST_SOCKET = 107  # bytes
_IN_FOLDER = "/session_2026-01-01_00-00-00_000000_4194304/sockets/plasma_store"
_LONGEST = _LONGEST_SOCKET - len(_IN_FOLDER)  # bytes of the folder's own path
_ROOM = 64 << 20  # bytes that Ray needs for its logs and sockets
_SHORT = ("/tmp", "/var/tmp", "/dev/shm")


def temporary_folder() -> Path | None:
    """Return a new private folder for Ray's temporary files; None if Ray's own choice will do.

    Ray's own choice is `ray` in $RAY_TMPDIR, in $TMPDIR, or in /tmp. If its path is too long for
    sockets, if this user may not write there, or if its disk is full, a folder with a short path
    is made in /tmp, /var/tmp or /dev/shm, which `remove` removes. InvalidInput is raised if there
    is no such folder, too.
    """
    reason = _refusal(_own_choice())
    if reason is None:
        return None
    for place in map(Path, _SHORT):
        if place.is_dir() and _refusal(place / "galaxytune-ray-xxxxxxxx") is None:
            return Path(tempfile.mkdtemp(prefix="galaxytune-ray-", dir=place))
    raise InvalidInput(
        f"Ray cannot use {_own_choice()} for its sockets, because {reason}; set RAY_TMPDIR to a "
        f"folder that you may write to and whose path has at most {_LONGEST - len('/ray')} bytes"
    )


def remove(folder: Path | None) -> None:
    """Remove a folder that `temporary_folder` has made, with all that is in it; None is ignored.

    The folder must not be used any more. Files that cannot be removed stay.
    """
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)


def _own_choice() -> Path:
    """Return the folder that Ray chooses by itself."""
    named = os.environ.get("RAY_TMPDIR", os.environ.get("TMPDIR", "/tmp"))
    return Path(named).absolute() / "ray"


def _refusal(folder: Path) -> str | None:
    """Return why Ray cannot use a folder, which need not exist, as part of a sentence, or None."""
    if (length := len(os.fsencode(folder))) > _LONGEST:
        return f"the path of {length} bytes is too long"
    try:
        check_can_write(folder)
    except InvalidInput as error:
        return str(error).rpartition("; ")[0]
    disk = os.statvfs(next(path for path in (folder, *folder.parents) if path.exists()))
    return "its disk is full" if disk.f_bavail * disk.f_frsize < _ROOM else None
