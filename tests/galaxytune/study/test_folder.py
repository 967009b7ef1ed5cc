"""A study's folder: what stands in it, read anew only where it has changed."""

import json

from galaxytune.plan.stored_plan import write_plan
from galaxytune.study.folder import StudyFolder
from tests.support.misbehaving import report_of
from tests.support.studies import BeginStudy


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
