"""optuna-dashboard on a study: looking at a running search, which can never disturb it.

Two things keep it so. The server answers reading requests alone, and the storage behind it can
only read: it opens the journal for reading, and never takes the lock that the driver takes.
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

from galaxytune.study_folder import StudyFolder
from galaxytune.terminal import say

_ONLY_LOOKS = "this dashboard only looks: nothing was written, the study stays as it is"
_READING = ("GET", "HEAD", "OPTIONS")


class ReadOnlyJournal(BaseJournalBackend):
    """A journal that is read while its driver writes it.

    A line counts once its end is written: what a driver is writing, or was killed at, is left
    for a later look. A journal that is not there yet is empty; one that was put aside and begun
    anew, as a resume does with a damaged one, needs a dashboard begun anew.
    """

    def __init__(self, path: Path) -> None:
        """`path` is the study's journal."""
        self._path = path
        self._offsets = [0]  # of each line known so far, and of the one after the last
        self._inode: int | None = None

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        """Whole lines from number `log_number_from`, 0 the first; ValueError if one is damaged.

        A damaged last line is not reported: on a network disk it may be half there.
        RuntimeError if it is another journal than before.
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
                raise ValueError(f"{self._path} is damaged in line {number + 1}") from None
            if number + 1 == len(self._offsets):
                self._offsets.append(self._offsets[number] + len(line) + 1)
            if number >= log_number_from:
                yield log

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """PermissionError, always."""
        raise PermissionError(errno.EPERM, _ONLY_LOOKS, str(self._path))

    def _text_from(self, offset: int) -> bytes:
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
    """The same WSGI application, which refuses with 403 and the reason all that might write."""

    def guarded(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] in _READING:
            return app(environ, start_response)
        start_response("403 Forbidden", [("Content-Type", "application/json")])
        return [json.dumps({"reason": _ONLY_LOOKS}).encode()]

    return guarded


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True  # a page that is still loading does not hold up the end


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing of each request; errors are logged by the dashboard itself."""


def dashboard_server(
    folder: StudyFolder, *, host: str = "127.0.0.1", port: int = 8080
) -> WSGIServer:
    """A server that listens and is yet to serve; port 0 is any free one.

    ValueError if it cannot listen there.
    """
    from optuna_dashboard import wsgi

    if not 0 <= port <= 65535:
        raise ValueError(f"--port must lie in 0..65535, got {port}")
    app = _only_reading(wsgi(JournalStorage(ReadOnlyJournal(folder.journal_file))))
    try:
        return make_server(host, port, app, server_class=_Server, handler_class=_QuietHandler)
    except socket.gaierror:
        raise ValueError(f"no host {host!r} to listen on; 127.0.0.1 is this machine") from None
    except OSError as error:
        why = "is in use" if error.errno == errno.EADDRINUSE else f"fails: {error.strerror}"
        raise ValueError(f"port {port} of {host} {why}; choose another with --port") from None


def serve_dashboard(folder: StudyFolder, *, host: str = "127.0.0.1", port: int = 8080) -> None:
    """Serve a study until Ctrl-C; ValueError in one line if the port is taken."""
    logging.getLogger("optuna_dashboard").setLevel(logging.ERROR)
    with dashboard_server(folder, host=host, port=port) as server:
        say(f"study {folder.name}: http://{host}:{server.server_port}/ (Ctrl-C ends it)")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            say("the dashboard is closed; the study was not touched")
