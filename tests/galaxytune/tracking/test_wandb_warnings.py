"""What a mirror of a study in W&B warns of, and that each warning is true."""

from pathlib import Path

import pytest

from galaxytune.study import StudyFolder
from galaxytune.tracking import WandbMirror
from tests.support.records import record
from tests.support.studies import BeginStudy


def mirrored(folder: StudyFolder) -> WandbMirror:
    """A mirror that was told of one trial without an epoch, and was closed."""
    mirror = WandbMirror(folder)
    mirror.study_started(1, 4, [])
    ended = record(0, None, status="failed")
    mirror.trial_started(ended.id, ended.config, False)
    mirror.trial_finished(ended)
    mirror.close()
    return mirror


def runs(folder: StudyFolder) -> list[Path]:
    return list(folder.wandb.glob("offline-run-*"))


@pytest.mark.slow
def test_a_whole_mirror_warns_of_nothing(
    begin_study: BeginStudy, caplog: pytest.LogCaptureFixture
) -> None:
    folder = begin_study(wandb="offline")
    assert mirrored(folder).is_whole
    assert len(runs(folder)) == 1 and caplog.text == ""


@pytest.mark.slow
def test_runs_are_called_written_only_after_they_are(
    begin_study: BeginStudy, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "short")
    folder = begin_study(wandb="online")
    assert mirrored(folder).is_whole
    first, second = [entry.getMessage() for entry in caplog.records]
    assert "another process, which works offline, has begun" in first
    assert "API key must have 40+ characters" in first
    assert second.startswith("W&B: runs are written offline, `wandb sync` sends them from ")
    assert len(runs(folder)) == 1


@pytest.mark.slow
def test_a_process_that_cannot_work_is_told_with_its_reason(
    begin_study: BeginStudy, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONHOME", "/no/such/python")  # no Python process can start
    folder = begin_study(wandb="offline")
    assert not mirrored(folder).is_whole
    assert runs(folder) == [] and "are written" not in caplog.text
    last = caplog.records[-1].getMessage()
    assert last.startswith("W&B: 1 of 1 ended trials have no whole run: ")
    assert "encodings" in last and "`galaxytune resume` tries again" in last


@pytest.mark.slow
def test_a_wrong_setting_is_ignored_and_named(
    begin_study: BeginStudy, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_PROJECT", "a/b")
    folder = begin_study(wandb="offline")
    assert mirrored(folder).is_whole and len(runs(folder)) == 1
    (only,) = [entry.getMessage() for entry in caplog.records]
    assert only.startswith("W&B: ignored: WANDB_PROJECT='a/b' is refused by W&B")
