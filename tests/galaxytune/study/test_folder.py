"""A study's folder: what stands in it, read anew only where it has changed."""

import json
from pathlib import Path

import pytest

from galaxytune.api.searching import open_study
from galaxytune.plan.stored_plan import write_plan
from galaxytune.study.folder import StudyFolder
from search_spaces.declaration.errors import InvalidInput
from tests.support.misbehaving import report_of
from tests.support.mounting import mount
from tests.support.studies import BeginStudy, small_study


def test_the_plan_is_read_again_only_after_its_file_has_changed(begin_study: BeginStudy) -> None:
    folder = begin_study(trials=4)
    first = folder.plan
    assert folder.plan is first
    other = StudyFolder(folder.path)  # as another process would change it
    write_plan(other.plan.model_copy(update={"trials": 9}), other.plan_file)
    changed = folder.plan
    assert (changed.trials, first.trials) == (9, 4)
    assert folder.plan is changed


def test_a_plan_that_is_replaced_within_a_tick_of_the_clock_is_read_again(
    begin_study: BeginStudy,
) -> None:
    folder = begin_study(trials=4)
    for trials in range(5, 25):
        write_plan(folder.plan.model_copy(update={"trials": trials}), folder.plan_file)
        assert folder.plan.trials == trials


def test_curves_are_the_reports_by_trial(begin_study: BeginStudy) -> None:
    folder = begin_study()
    reports = [report_of("00001", epoch) for epoch in (1, 2)]
    lines = "".join(json.dumps(report.as_values()) + "\n" for report in reports)
    folder.curve_file("00001").write_text(lines)
    folder.curve_file("00000").touch()
    assert folder.curves() == {"00000": [], "00001": reports}
    assert folder.curve("00007") == []


def test_who_holds_the_lock_runs_the_study(begin_study: BeginStudy) -> None:
    folder = begin_study()
    assert folder.state() == "interrupted"
    with StudyFolder(folder.path).lock().acquire(timeout=0):
        assert folder.state() == "running"
    folder.mark_ended("2 hours have passed")
    assert (folder.state(), folder.ended) == ("finished", "2 hours have passed")


def test_the_state_is_told_without_writing(begin_study: BeginStudy) -> None:
    folder = begin_study()
    before = {path.name for path in folder.path.iterdir()}
    assert folder.state() == "interrupted"
    assert {path.name for path in folder.path.iterdir()} == before
    with folder.lock():
        assert StudyFolder(folder.path).state() == "running"
    assert folder.state() == "interrupted"


def test_a_study_on_a_read_only_disk_is_read(small_disk: Path, toy_npz: Path) -> None:
    folder = small_study(toy_npz, small_disk)
    with folder.lock():
        pass
    if mount("-o", "remount,ro", small_disk):
        pytest.skip("mounting is not allowed here")
    study = open_study("s", storage=small_disk)
    assert study.status().state == "interrupted" and study.leaderboard().empty
    with pytest.raises(InvalidInput, match="read-only disk; copy the study to a folder that"):
        study.resume(trials=9)
