"""optuna-dashboard for a study, read-only, so that the dashboard cannot disturb a running search.

Two things make the dashboard read-only. The server answers only requests that read. The storage
behind the server can only read: it opens the journal for reading, and never takes the driver's
lock.
"""

import errno
import json
import logging
import os
import socket
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from optuna.storages import JournalStorage
from optuna.storages.journal import BaseJournalBackend

from galaxytune.study import StudyFolder
from search_spaces.declaration import InvalidInput

_ONLY_LOOKS = "this dashboard is read-only; the study was not changed"
_READING = ("GET", "HEAD", "OPTIONS")


class ReadOnlyJournal(BaseJournalBackend):
    """A journal of Optuna that is read while a driver writes it.

    A line counts when its line break is written. A line without a line break is not read yet: a
    driver is writing the line, or was killed while writing it. A journal that does not exist is
    empty. A journal that a resume has replaced, because it was damaged, needs a new object of this
    class.
    """

    def __init__(self, path: Path) -> None:
        """Take the path of a study's journal; the file need not exist."""
        self._path = path
        self._offsets = [0]  # in bytes, of each known line and of the next line
        self._inode: int | None = None

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        """Yield the entries from number `log_number_from` on, counted from 0.

        Each entry is the JSON object of one line. Nothing is yielded if there is no such entry, or
        no journal. A damaged line raises InvalidInput. The last line is an exception: if it is
        damaged, it is left out, because half of it may be missing on a network disk. RuntimeError
        is raised if the journal was replaced since the last call, and OSError if it cannot be
        read.
        """
        start = min(log_number_from, len(self._offsets) - 1)
        text = self._text_from(self._offsets[start])
        lines = text.split(b"\n")[:-1]
        for number, line in enumerate(lines, start=start):
            try:
                log = json.loads(line)
            except ValueError:
                if number == start + len(lines) - 1:
                    return
                raise InvalidInput(f"{self._path} is damaged in line {number + 1}") from None
            if number + 1 == len(self._offsets):
                self._offsets.append(self._offsets[number] + len(line) + 1)
            if number >= log_number_from:
                yield log

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Raise PermissionError always, because the journal is read-only; `logs` is ignored."""
        raise PermissionError(errno.EPERM, _ONLY_LOOKS, str(self._path))

    def _text_from(self, offset: int) -> bytes:
        """Return the bytes of the journal from `offset` on; empty if there is no journal.

        RuntimeError is raised if the journal was replaced since the last call.
        """
        try:
            with self._path.open("rb") as file:
                inode = os.fstat(file.fileno()).st_ino
                if inode != (self._inode or inode):
                    raise RuntimeError(f"{self._path} was begun anew; start the dashboard again")
                self._inode = inode
                file.seek(offset)
                return file.read()
        except FileNotFoundError:
            return b""


def _only_reading(app: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
    """Return a WSGI application that passes only GET, HEAD and OPTIONS requests to `app`.

    Any other request is answered with status 403 and the reason as JSON.
    """

    def guarded(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] in _READING:
            return app(environ, start_response)
        start_response("403 Forbidden", [("Content-Type", "application/json")])
        return [json.dumps({"reason": _ONLY_LOOKS}).encode()]

    return guarded


class _Server(ThreadingMixIn, WSGIServer):
    """A web server that answers each request in a thread of its own."""

    daemon_threads = True  # a page that is still loading does not delay the end


class _QuietHandler(WSGIRequestHandler):
    """A handler of requests that logs nothing."""

    def log_message(self, format: str, *args: Any) -> None:
        """Do nothing: requests are not logged, and the dashboard itself logs errors."""


def dashboard_server(
    folder: StudyFolder, *, host: str = "127.0.0.1", port: int = 8080
) -> WSGIServer:
    """Return a server of the dashboard that listens; its `serve_forever` then answers requests.

    folder: the folder of the study to show. host: name or address of this machine to listen on;
    the default cannot be reached from other machines. port: from 0 to 65535; 0 for any free port,
    which is then the server's `server_port`. The caller closes the server, for example by `with`.
    The log of optuna_dashboard is set to errors only, for the whole process.

    InvalidInput is raised if the server cannot listen at `host` and `port`, or if the study's
    journal is damaged.
    """
    from optuna_dashboard import wsgi

    logging.getLogger("optuna_dashboard").setLevel(logging.ERROR)
    if not 0 <= port <= 65535:
        raise InvalidInput(f"--port must lie in 0..65535, got {port}")
    app = _only_reading(wsgi(JournalStorage(ReadOnlyJournal(folder.journal_file))))
    try:
        return make_server(host, port, app, server_class=_Server, handler_class=_QuietHandler)
    except socket.gaierror:
        raise InvalidInput(f"no host {host!r} to listen on; 127.0.0.1 is this machine") from None
    except OSError as error:
        why = "is in use" if error.errno == errno.EADDRINUSE else f"fails: {error.strerror}"
        raise InvalidInput(f"port {port} of {host} {why}; choose another with --port") from None
