"""Files that are written whole or not at all, and lines that survive a crash."""

import errno
import json
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

# What a full, broken or read-only disk answers
DISK_REFUSES = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EACCES, errno.EPERM)


def write_atomically(path: Path, write: Callable[[Path], object], *, wait: bool = True) -> None:
    """Let `write` fill a temporary file beside `path`, then put it in place in one step.

    Without the wait for the disk a power cut may leave an empty file in its place.
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


def append_line(path: Path, values: Mapping[str, Any], *, wait: bool = True) -> None:
    """Append one JSON line and wait until it is on disk; a half-written last line is ended.

    Without the wait it outlives this process, but perhaps not a power cut.
    """
    with path.open("a+b") as file:
        if file.seek(0, os.SEEK_END) and not _ends_line(file):
            file.write(b"\n") if _last_is_whole(path) else file.truncate(last_line_start(path))
        file.write(json.dumps(values).encode() + b"\n")
        file.flush()
        if wait:
            os.fsync(file.fileno())


def wait_for_disk(path: Path) -> None:
    """Return once all that was written to a file, by whomever, is on disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _ends_line(file: Any) -> bool:
    file.seek(-1, os.SEEK_END)
    return bool(file.read(1) == b"\n")


def last_line_start(path: Path) -> int:
    """Where the last line of a file begins, in bytes; its end if the file ends that line."""
    return path.read_bytes().rfind(b"\n") + 1


def _last_is_whole(path: Path) -> bool:
    try:
        json.loads(path.read_bytes()[last_line_start(path) :])
    except ValueError:
        return False
    return True
