"""Places to write that a person gave: checked before the work, and told if they refuse."""

import errno
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from search_spaces.declaration import InvalidInput
from trainables.files.atomic_files import write_atomically

_NAME_ANOTHER = "name another place"
# Error numbers of a place at which nothing can be written, whoever makes room on the disk.
_UNUSABLE = (
    errno.EEXIST,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENAMETOOLONG,
    errno.ELOOP,
)


@contextmanager
def writing_to_a_given_place(remedy: str = _NAME_ANOTHER) -> Iterator[None]:
    """Raise InvalidInput if the block fails for a reason that another path would solve.

    The reasons are: a file stands where a folder is needed, a folder stands where a file is
    needed, permission is denied, the disk is read-only, or a name is too long. The block should
    write to a path that a person gave; the message names the path of the error and the remedy.
    Other errors, such as that of a full disk, pass unchanged.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _UNUSABLE:
            raise
        place = error.filename2 or error.filename  # of a move, where the file was to go
        raise InvalidInput(f"{error.strerror}: {place}; {remedy}") from None


def check_can_write(folder: Path, remedy: str = _NAME_ANOTHER) -> None:
    """Raise InvalidInput if no file can be written to a folder, which need not exist.

    Nothing is left there. The nearest folder above that exists is checked: it must be a folder, on
    a disk that is not read-only, that this user may write to, and take a temporary file. The
    message ends with the remedy.
    """
    try:
        nearest = next(path for path in (folder, *folder.absolute().parents) if path.exists())
        is_folder, is_writable = nearest.is_dir(), os.access(nearest, os.W_OK | os.X_OK)
        is_read_only = bool(os.statvfs(nearest).f_flag & os.ST_RDONLY)
    except OSError as error:
        raise InvalidInput(
            f"{folder} cannot be written ({error.strerror}: {error.filename}); {remedy}"
        ) from None
    if not is_folder:
        raise InvalidInput(f"{folder} cannot be written: {nearest} is a file; {remedy}")
    if not is_writable:
        reason = "is on a read-only disk" if is_read_only else "is not writable for this user"
        raise InvalidInput(f"{folder} cannot be written: {nearest} {reason}; {remedy}")
    try:
        tempfile.TemporaryFile(dir=nearest).close()
    except OSError as error:  # such as /proc, which root may write to by its permissions
        raise InvalidInput(
            f"{folder} cannot be written ({error.strerror}: {nearest}); {remedy}"
        ) from None


def write_if_allowed(path: Path, write: Callable[[Path], object]) -> bool:
    """Write a file as `write_atomically` does; return False if this user may not write there.

    The function is for files that save work later but are not needed. OSError is raised if the
    disk refuses for another reason, such as a full disk.
    """
    try:
        write_atomically(path, write)
    except OSError as error:
        if error.errno not in (errno.EROFS, errno.EACCES, errno.EPERM):
            raise
        return False
    return True
