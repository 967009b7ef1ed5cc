"""Optuna's journal in a file that one process alone writes.

Optuna's own backend is made for many writers: for each of a trial's thirty lines it takes a lock,
waits for the disk and reads the line back. A study has one writer. Its lines are the same, so
whatever reads Optuna's journals reads this one.
"""

import errno
import itertools
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from optuna.storages.journal import BaseJournalBackend

from trainables.files import last_line_start


class JournalFile(BaseJournalBackend):
    """A journal that only this object writes, and that anyone may read.

    A line is with the operating system when `append_logs` returns, so that a killed process
    loses none; `wait_for_disk` puts all lines beyond the reach of a power cut.
    """

    def __init__(self, path: Path) -> None:
        """Open or create it; what a writer killed in mid-write has left is cut off."""
        self._path = path
        Path(f"{path}.lock").unlink(missing_ok=True)  # of a driver that locked, once
        if path.exists() and not _ends_line(path):
            os.truncate(path, last_line_start(path))
        self._file = path.open("ab", buffering=0)
        self._size = os.fstat(self._file.fileno()).st_size
        self._num_read: int | None = None  # None: nobody has read it yet
        self._fresh: list[dict[str, Any]] = []  # appended, and not read since

    def read_logs(self, log_number_from: int) -> Iterable[dict[str, Any]]:
        """Entries from number `log_number_from`, 0 the first; ValueError if a line is no JSON."""
        if log_number_from != self._num_read:
            self._fresh.clear()
            return self._stored(log_number_from)
        fresh, self._fresh = self._fresh, []
        self._num_read += len(fresh)
        return fresh

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Append all of these entries; OSError, and none of them, if the disk refuses."""
        lines = [json.dumps(log, separators=(",", ":")) for log in logs]
        data = "".join(f"{line}\n" for line in lines).encode()
        if self._file.write(data) != len(data):
            os.ftruncate(self._file.fileno(), self._size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._path))
        self._size += len(data)
        self._fresh += map(json.loads, lines)

    def wait_for_disk(self) -> None:
        """Return once everything appended so far is on disk."""
        os.fsync(self._file.fileno())

    def _stored(self, first: int) -> Iterator[dict[str, Any]]:
        self._num_read = first
        with self._path.open("rb") as file:
            for line in itertools.islice(file, first, None):
                self._num_read += 1
                yield json.loads(line)


def _ends_line(path: Path) -> bool:
    """Whether a file is empty or ends with a line's end."""
    with path.open("rb") as file:
        if file.seek(0, os.SEEK_END) == 0:
            return True
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
