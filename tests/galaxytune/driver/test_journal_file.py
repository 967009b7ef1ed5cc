"""Optuna's journal as a study writes it: Optuna's own lines, whole ones, with one writer."""

import os
from pathlib import Path

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from galaxytune.driver.journal_file import DamagedJournal, JournalFile


def study_on(journal: optuna.storages.journal.BaseJournalBackend) -> optuna.Study:
    return optuna.create_study(
        study_name="s", storage=JournalStorage(journal), load_if_exists=True
    )


def ask_and_tell(study: optuna.Study) -> None:
    trial = study.ask()
    value = trial.suggest_float("x", 0, 1)
    trial.set_user_attr("config", {"width": 0.5, "note": "galaxy’s"})
    trial.report(value, step=1)
    study.tell(trial, value)


def test_optuna_reads_what_is_written(tmp_path: Path) -> None:
    study = study_on(JournalFile(tmp_path / "j"))
    for _ in range(3):
        ask_and_tell(study)
    assert study_on(JournalFileBackend(str(tmp_path / "j"))).trials == study.trials


def test_what_optuna_wrote_is_read_and_continued(tmp_path: Path) -> None:
    ask_and_tell(study_on(JournalFileBackend(str(tmp_path / "j"))))
    study = study_on(JournalFile(tmp_path / "j"))
    ask_and_tell(study)
    assert [t.number for t in study_on(JournalFile(tmp_path / "j")).trials] == [0, 1]


def test_a_line_that_a_killed_writer_cut_short_is_dropped(tmp_path: Path) -> None:
    study = study_on(JournalFile(tmp_path / "j"))
    study.ask()
    whole = (tmp_path / "j").read_bytes()
    (tmp_path / "j").write_bytes(whole + b'{"op_code":4,"wor')
    assert study_on(JournalFile(tmp_path / "j")).trials == study.trials
    assert b'"wor' not in (tmp_path / "j").read_bytes().removeprefix(whole).replace(b"worker", b"")


@pytest.mark.parametrize("line", [b'{"op_co', b"\x00\xff\xe9"], ids=str)
def test_a_damaged_line_is_named(line: bytes, tmp_path: Path) -> None:
    study_on(JournalFile(tmp_path / "j")).ask()
    (tmp_path / "j").write_bytes(line + b"\n" + (tmp_path / "j").read_bytes())
    with pytest.raises(DamagedJournal, match="line 1: "):
        study_on(JournalFile(tmp_path / "j"))


def test_a_line_that_the_disk_does_not_hold_leaves_no_part(small_disk: Path) -> None:
    journal = JournalFile(small_disk / "j")
    study_on(journal)
    disk = os.statvfs(small_disk)
    (small_disk / "filler").write_bytes(bytes(disk.f_bavail * disk.f_bsize))
    whole = (small_disk / "j").read_bytes()
    long = {"op_code": 4, "worker_id": "x" * 8192, "study_id": 0}  # more than a page has left
    with pytest.raises(OSError, match="No space left on device"):
        journal.append_logs([long])
    assert (small_disk / "j").read_bytes() == whole
    assert list(journal.read_logs(1)) == []
