"""The file mirror.log of a study: what the processes that write its W&B runs have printed."""

import re
from pathlib import Path

IGNORED = "ignored: "
"""The beginning of a line about a wrong setting of the user, which a process has ignored."""

_NO_FAILURE = re.compile(f"^{IGNORED}| INFO ")
_ERROR = "rror: "  # as in `UsageError: ` and `Fatal Python error: `


class MirrorLog:
    """The log of the processes that write a study's W&B runs, one process after the other.

    path: the path of the file.
    """

    def __init__(self, path: Path) -> None:
        """Take the path of the file; the file need not exist before a process begins."""
        self.path = path
        self._start = 0  # in bytes, of what the current process writes

    def begin(self) -> None:
        """Note that a process begins, whose lines follow those that the file has now."""
        self._start = self.path.stat().st_size if self.path.exists() else 0

    def ignored(self) -> list[str]:
        """Return the lines of the current process about settings that it has ignored."""
        return [line for line in self._lines() if line.startswith(IGNORED)]

    def failure(self) -> str | None:
        """Return the last line of the current process with an error, else its last line.

        Lines that tell no failure are passed over. None is returned if no other line is there.
        """
        told = [line for line in self._lines() if not _NO_FAILURE.search(line)]
        errors = [line for line in told if _ERROR in line]
        return [*told, *errors][-1] if told else None

    def _lines(self) -> list[str]:
        """Return the lines that the current process has written, without empty lines."""
        with self.path.open("rb") as log:
            log.seek(self._start)
            lines = log.read().decode(errors="replace").split("\n")
        return [line.strip() for line in lines if line.strip()]
