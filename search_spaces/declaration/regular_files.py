"""Files that a person names must be regular: a FIFO would let the reader wait without end."""

import stat
from pathlib import Path
from typing import IO

from search_spaces.declaration.errors import InvalidInput

_NOT_REGULAR = "is no regular file"


def open_regular(path: Path) -> IO[bytes]:
    """Return the open binary file of a path; links are followed.

    A FIFO, a socket or a device is not opened; InvalidInput is raised for them, with a text that
    does not name the path. OSError is raised if the path cannot be opened.
    """
    if _is_special(path):
        raise InvalidInput(_NOT_REGULAR)
    return path.open("rb")


def check_regular(path: Path) -> None:
    """Raise InvalidInput, which names the path, for a FIFO, a socket or a device.

    Links are followed. A folder, a path that does not exist, and a path whose kind cannot be found
    out pass, because the work on them says more.
    """
    if _is_special(path):
        raise InvalidInput(f"{path} {_NOT_REGULAR}")


def _is_special(path: Path) -> bool:
    """Return whether a path leads to something that is neither a regular file nor a folder."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)
