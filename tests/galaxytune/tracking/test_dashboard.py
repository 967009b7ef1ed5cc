"""The dashboard on a journal that another process is writing: it shows, and never writes."""

import json
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from galaxytune.study.folder import StudyFolder
from galaxytune.tracking.dashboard import ReadOnlyJournal, dashboard_server
from search_spaces.declaration.errors import InvalidInput

_DRIVER = """
import sys, time
import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
optuna.logging.set_verbosity(optuna.logging.ERROR)
storage = JournalStorage(JournalFileBackend(sys.argv[1]))
study = optuna.create_study(study_name="toy", storage=storage, load_if_exists=True)
for number in range(int(sys.argv[2])):
    trial = study.ask()
    rate = trial.suggest_float("rate", 1e-4, 1e-2, log=True)
    trial.report(0.3, 1)
    study.tell(trial, rate)
    time.sleep(0.05)
"""


def drive(journal: Path, num_trials: int) -> subprocess.Popen[bytes]:
    """Another process that adds trials to a journal, as a driver does."""
    return subprocess.Popen([sys.executable, "-c", _DRIVER, str(journal), str(num_trials)])


@pytest.fixture(scope="module")
def five_trials(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A journal of five ended trials."""
    journal = tmp_path_factory.mktemp("driven") / "optuna.journal"
    assert drive(journal, 5).wait(60) == 0
    return journal.read_bytes()


@pytest.fixture
def folder(tmp_path: Path, five_trials: bytes) -> StudyFolder:
    """A study of five ended trials."""
    folder = StudyFolder(tmp_path / "toy")
    folder.path.mkdir()
    folder.journal_file.write_bytes(five_trials)
    return folder


@contextmanager
def serving(folder: StudyFolder) -> Iterator[str]:
    """The address of a dashboard on a study."""
    with dashboard_server(folder, port=0) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def ask(address: str, method: str = "GET", values: Any = None) -> tuple[int, bytes]:
    """Status and body of an answer."""
    body = None if values is None else json.dumps(values).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(address, data=body, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def num_shown(address: str) -> int:
    status, body = ask(f"{address}/api/studies/0")
    assert status == 200
    return len(json.loads(body)["trials"])


def files_of(folder: StudyFolder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.path.iterdir()}


def test_the_page_and_the_trials_are_served_and_nothing_is_written(folder: StudyFolder) -> None:
    before = files_of(folder)
    with serving(folder) as address:
        status, page = ask(f"{address}/dashboard")
        assert (status, b"<html" in page) == (200, True)
        (study,) = json.loads(ask(f"{address}/api/studies")[1])["study_summaries"]
        assert study["study_name"] == "toy"
        assert num_shown(address) == 5
        assert ask(f"{address}/api/studies/0/param_importances")[0] == 200
        assert ask(f"{address}/csv/0")[1].count(b"COMPLETE") == 5
    assert files_of(folder) == before


WRITES = [
    ("POST", "/api/studies", {"study_name": "other", "directions": ["minimize"]}),
    ("POST", "/api/studies/0/rename", {"study_name": "other"}),
    ("DELETE", "/api/studies/0", {}),
    ("PUT", "/api/studies/0/note", {"version": 1, "body": "a note"}),
    ("PUT", "/api/studies/0/1/note", {"version": 1, "body": "a note"}),
    ("POST", "/api/trials/1/user-attrs", {"user_attrs": {"a": 1}}),
    ("POST", "/api/trials/1/tell", {"state": "Fail"}),
]


def test_every_write_is_refused_and_the_journal_stays_byte_for_byte(folder: StudyFolder) -> None:
    before = files_of(folder)
    with serving(folder) as address:
        for method, path, values in WRITES:
            status, body = ask(address + path, method, values)
            assert status == 403, path
            assert "is read-only" in json.loads(body)["reason"]
    assert files_of(folder) == before


def test_the_storage_behind_it_refuses_writes_too(folder: StudyFolder) -> None:
    before = files_of(folder)
    storage = JournalStorage(ReadOnlyJournal(folder.journal_file))
    study = optuna.load_study(study_name="toy", storage=storage)
    with pytest.raises(PermissionError, match="is read-only"):
        study.ask()
    with pytest.raises(PermissionError, match="is read-only"):
        study.set_user_attr("a", 1)
    with pytest.raises(PermissionError, match="is read-only"):
        optuna.create_study(study_name="other", storage=storage)
    assert files_of(folder) == before
    assert len(study.trials) == 5


@pytest.mark.slow
def test_trials_of_a_running_driver_appear_and_its_lock_is_left_alone(folder: StudyFolder) -> None:
    with serving(folder) as address:
        assert num_shown(address) == 5
        driver = drive(folder.journal_file, 40)
        seen = set()
        while driver.poll() is None:
            seen.add(num_shown(address))
            time.sleep(0.1)
        assert driver.wait() == 0
        time.sleep(2.1)  # the dashboard asks the storage at most every two seconds
        assert num_shown(address) == 45
        assert seen <= set(range(5, 46))
    own = JournalStorage(JournalFileBackend(str(folder.journal_file)))
    assert len(optuna.load_study(study_name="toy", storage=own).trials) == 45


def test_a_held_lock_and_a_torn_last_line_do_not_stop_a_look(folder: StudyFolder) -> None:
    whole = folder.journal_file.read_bytes()
    last = whole.splitlines(keepends=True)[-1]
    lock = Path(f"{folder.journal_file}.lock")
    lock.symlink_to(folder.journal_file)  # a driver is in the midst of writing
    folder.journal_file.write_bytes(whole[: -len(last) // 2])
    reader = ReadOnlyJournal(folder.journal_file)
    assert len(list(reader.read_logs(0))) == whole.count(b"\n") - 1
    folder.journal_file.write_bytes(whole)
    assert list(reader.read_logs(whole.count(b"\n") - 1)) == [json.loads(last)]
    assert list(reader.read_logs(whole.count(b"\n"))) == []
    assert lock.is_symlink()


def test_a_line_counts_once_its_end_is_written(tmp_path: Path) -> None:
    journal = tmp_path / "optuna.journal"
    journal.write_bytes(b'{"a": 1}\n{"b": 2}')
    reader = ReadOnlyJournal(journal)
    assert list(reader.read_logs(0)) == [{"a": 1}]
    with journal.open("ab") as file:
        file.write(b'\n{"c": 3}\n')
    assert list(reader.read_logs(1)) == [{"b": 2}, {"c": 3}]


def test_a_damaged_line_is_an_error_unless_it_is_the_last(tmp_path: Path) -> None:
    journal = tmp_path / "optuna.journal"
    journal.write_bytes(b'{"a": 1}\n\0\0\0\n')
    assert list(ReadOnlyJournal(journal).read_logs(0)) == [{"a": 1}]
    journal.write_bytes(b'{"a": 1}\n\0\0\0\n{"b": 2}\n')
    with pytest.raises(InvalidInput, match="damaged in line 2"):
        list(ReadOnlyJournal(journal).read_logs(0))


def test_a_journal_that_was_begun_anew_is_not_mixed_with_the_old(tmp_path: Path) -> None:
    journal = tmp_path / "optuna.journal"
    reader = ReadOnlyJournal(journal)
    assert list(reader.read_logs(0)) == []
    assert not journal.exists()
    journal.write_bytes(b'{"a": 1}\n')
    assert list(reader.read_logs(0)) == [{"a": 1}]
    journal.rename(tmp_path / "optuna.journal.damaged-1")
    journal.write_bytes(b'{"b": 2}\n{"c": 3}\n')
    with pytest.raises(RuntimeError, match="begun anew"):
        list(reader.read_logs(1))


def test_a_port_in_use_is_named_with_the_option(folder: StudyFolder) -> None:
    with dashboard_server(folder, port=0) as server:
        port = server.server_port
        with pytest.raises(InvalidInput, match=rf"port {port} .*in use.*--port"):
            dashboard_server(folder, port=port)
