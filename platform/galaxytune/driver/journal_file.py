"""Optuna's journal in a file that only one process writes.

Optuna's own backend is made for several writers: for each of a trial's thirty lines it takes a
lock, waits for the disk, and reads the line back. A study has only one writer and needs none of
these. The lines in the file are the same, so programs that read Optuna's journals can read this
file.
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


class DamagedJournal(Exception):
    """An error: a line of a journal is not JSON."""


class JournalFile(BaseJournalBackend):
    """A journal that only this object writes and that any process may read.

    After `append_logs` the operating system holds the lines, so that the lines survive the end of
    the process. After `wait_for_disk` all lines survive a power cut, too. Optuna's JournalStorage
    calls `read_logs` and `append_logs`.
    """

    def __init__(self, path: Path) -> None:
        """Open the journal at `path`, or create an empty journal; OSError if neither is possible.

        An incomplete last line, which a killed writer left, is cut off. The file PATH.lock of
        Optuna's own backend is deleted.
        """
        self._path = path
        Path(f"{path}.lock").unlink(missing_ok=True)  # Optuna's own backend leaves this file
        if path.exists() and not _ends_line(path):
            os.truncate(path, last_line_start(path))
        self._file = path.open("ab", buffering=0)
        self._size = os.fstat(self._file.fileno()).st_size
        self._num_read: int | None = None  # None before the first read
        self._fresh: list[dict[str, Any]] = []  # appended after the last read

    def read_logs(self, log_number_from: int) -> Iterable[dict[str, Any]]:
        """Return the entries from number `log_number_from` on, counted from 0; empty for none.

        An entry is the value of one line of the file, which Optuna writes as a mapping. The
        entries may be read from the file while the caller goes through the result. A line that is
        not JSON raises DamagedJournal when the line is reached.
        """
        if log_number_from != self._num_read:
            self._fresh.clear()
            return self._stored(log_number_from)
        fresh, self._fresh = self._fresh, []
        self._num_read += len(fresh)
        return fresh

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Append all entries in `logs`; if the disk refuses, append no entry and raise OSError."""
        lines = [json.dumps(log, separators=(",", ":")) for log in logs]
        data = "".join(f"{line}\n" for line in lines).encode()
        if self._file.write(data) != len(data):
            os.ftruncate(self._file.fileno(), self._size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._path))
        self._size += len(data)
        self._fresh += map(json.loads, lines)

    def wait_for_disk(self) -> None:
        """Return when everything that was appended is on disk; OSError if the disk refuses."""
        os.fsync(self._file.fileno())

    def _stored(self, first: int) -> Iterator[dict[str, Any]]:
        """Yield the entries in the file from number `first` on.

        A line that is not JSON raises DamagedJournal.
        """
        self._num_read = first
        with self._path.open("rb") as file:
            for line in itertools.islice(file, first, None):
                self._num_read += 1
                try:
                    yield json.loads(line)
                except ValueError as error:  # no JSON, or no text
                    raise DamagedJournal(f"{self._path} line {self._num_read}: {error}") from None


def _ends_line(path: Path) -> bool:
    """Return whether a file is empty or ends with a line break."""
    with path.open("rb") as file:
        if file.seek(0, os.SEEK_END) == 0:
            return True
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
