"""Files that are written completely or not at all."""

import errno
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

# Error numbers of a disk that is full, is broken, does not allow writing, or refuses large files.
DISK_REFUSES = (
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EROFS,
    errno.EIO,
    errno.EACCES,
    errno.EPERM,
    errno.EFBIG,
)


def write_atomically(path: Path, write: Callable[[Path], object], *, wait: bool = True) -> None:
    """Let `write` fill a temporary file beside `path`, then move that file to `path` in one step.

    The folder is made if it does not exist. write: is called with the path of the temporary file,
    which is empty, has no suffix, and must be filled under exactly this path. A file at `path` is
    replaced, and the new file can be read by everyone (mode 644). With `wait` the file is on disk
    before it is moved. Without `wait` a power cut may leave an empty file.

    If anything fails, the temporary file is deleted and `path` stays as it was. OSError is raised
    if the file cannot be written; errors of `write` are raised unchanged.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(descriptor)
    try:
        write(Path(name))
        if wait:
            wait_for_disk(Path(name))
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def wait_for_disk(path: Path) -> None:
    """Return once everything that was written to a file is on disk.

    OSError is raised if the file is missing or the disk refuses.
    """
    with path.open("rb") as file:
        os.fsync(file.fileno())
