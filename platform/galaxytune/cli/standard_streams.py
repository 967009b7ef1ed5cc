"""The three standard streams of the command line, which a caller may have closed."""

import errno
import io
import os
import sys
from typing import Any

from search_spaces.declaration import WorkFailed

_UNREADABLE = (errno.EPIPE, errno.EBADF, errno.ENOSPC, errno.EIO)
_STDOUT, _STDERR = 1, 2
STANDARD_OUTPUT = "standard output"  # the name in an OSError


class _ClosedOutput(io.TextIOBase):
    """Standard output that was closed before the command began: what is written cannot be read."""

    def write(self, text: str) -> int:
        """Raise WorkFailed with one line."""
        raise WorkFailed("standard output is closed, so nothing could be printed")

    def fileno(self) -> int:
        """Return 1, the number of standard output."""
        return 1


class _Notes(io.FileIO):
    """Standard error whose reader may close it: later notes are dropped, and the work goes on."""

    def write(self, data: Any) -> int:
        """Write bytes; if nobody can read them, send these and all later bytes to nowhere."""
        try:
            return super().write(data)
        except OSError as error:
            if error.errno not in _UNREADABLE:
                raise
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())
        os.close(nowhere)
        return len(data)


class _Output(io.FileIO):
    """Standard output whose errors name it, unlike the errors of a file that the work writes."""

    def write(self, data: Any) -> int:
        """Write bytes; OSError, with the name STANDARD_OUTPUT, if the output refuses them."""
        try:
            return super().write(data)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OSError(error.errno, error.strerror, STANDARD_OUTPUT) from None


def open_standard_streams() -> None:
    """Make all three standard streams usable, also those that the caller has closed.

    The numbers 0, 1 and 2 are taken at first, so that no file of a study gets one of these numbers
    and the output of another process. Text for a closed standard output then raises WorkFailed,
    and text that standard output refuses an OSError with the file name STANDARD_OUTPUT. Text for
    standard error that nobody can read is dropped.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= _STDERR:
        pass
    os.close(number)
    if sys.stdout is None:
        sys.stdout = _ClosedOutput()
    elif isinstance(output := sys.stdout, io.TextIOWrapper) and _has_number(output, _STDOUT):
        own = io.BufferedWriter(_Output(_STDOUT, "w", closefd=False))
        at_once = output.line_buffering or output.write_through
        sys.stdout = io.TextIOWrapper(own, output.encoding, output.errors, line_buffering=at_once)
    if sys.stderr is None or _has_number(sys.stderr, _STDERR):
        encoding = "utf-8" if sys.stderr is None else sys.stderr.encoding
        notes = io.BufferedWriter(_Notes(_STDERR, "w", closefd=False))
        sys.stderr = io.TextIOWrapper(notes, encoding, "backslashreplace", line_buffering=True)


def _has_number(stream: Any, number: int) -> bool:
    """Return whether a stream writes to the process's own stream of this number."""
    try:
        return bool(stream.fileno() == number)
    except (AttributeError, OSError, ValueError):
        return False
