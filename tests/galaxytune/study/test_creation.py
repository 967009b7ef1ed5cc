"""Making studies, opening them by name, and changing the plan of one that is to go on."""

from pathlib import Path
from typing import Any

import pytest

from galaxytune.study.creation import (
    change_plan,
    check_data_unchanged,
    open_folder,
    plan_kept_if_refused,
)
from galaxytune.study.folder import StudyFolder
from search_spaces.declaration.errors import InvalidInput
from tests.support.records import record
from tests.support.studies import BeginStudy, small_study


def assert_refused(folder: StudyFolder, changes: dict[str, Any], told: str) -> None:
    """Assert that a change is refused in one line and that the plan stays as it is."""
    before = folder.plan_file.read_text()
    with pytest.raises(InvalidInput, match=told) as error:
        change_plan(folder, changes)
    assert "\n" not in str(error.value)
    assert folder.plan_file.read_text() == before


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"epochs": 9}, "^a resume cannot change 'epochs'; there are: "),
        ({"trails": 9}, "^a resume cannot change 'trails'; did you mean 'trials'\\?$"),
        ({"max_hours": 1, "data": "y.npz"}, "^a resume cannot change 'data'; "),
        ({"trials": 0}, "^trials: Input should be greater than or equal to 1, got 0$"),
        ({"max_hours": "soon"}, "^max_hours: Input should be a valid number"),
    ],
)
def test_what_may_not_change_is_refused(
    changes: dict[str, Any], told: str, begin_study: BeginStudy
) -> None:
    assert_refused(begin_study(), changes, told)


def test_a_running_study_is_not_changed(begin_study: BeginStudy) -> None:
    folder = begin_study()
    with StudyFolder(folder.path).lock().acquire(timeout=0):
        assert_refused(folder, {"trials": 9}, "^study 's' is being run by another process$")


def test_a_grids_number_of_trials_is_not_changed(toy_npz: Path, tmp_path: Path) -> None:
    grid = small_study(toy_npz, tmp_path, trials=2, grid={"seed": [0, 1]})
    assert_refused(grid, {"trials": 9}, "^a grid decides the number of its trials itself$")
    change_plan(grid, {"max_hours": 2})
    assert (grid.plan.trials, grid.plan.max_hours) == (2, 2.0)


def test_a_study_that_its_budget_ended_can_go_on_with_a_larger_one(
    begin_study: BeginStudy,
) -> None:
    folder = begin_study(max_hours=1.0)
    provenance = folder.plan.provenance
    folder.mark_ended("1 hours have passed")
    change_plan(folder, {})
    assert folder.ended is not None
    change_plan(folder, {"max_hours": 5.0, "trials": 9})
    assert (folder.plan.max_hours, folder.plan.trials, folder.ended) == (5.0, 9, None)
    assert folder.plan.provenance == provenance


def test_a_study_is_opened_by_its_name(begin_study: BeginStudy) -> None:
    folder = begin_study()
    assert open_folder(folder.path.parent, "s").plan == folder.plan
    with pytest.raises(InvalidInput, match="^no study 'x' in .*; there are: s$"):
        open_folder(folder.path.parent, "x")
    with pytest.raises(InvalidInput, match="^no study 'x' in .*; there are none$"):
        open_folder(folder.path, "x")


def test_a_name_is_given_once(begin_study: BeginStudy) -> None:
    begin_study()
    with pytest.raises(InvalidInput, match="^study 's' exists in .*`galaxytune resume s`"):
        begin_study()


def test_data_that_has_changed_is_named(toy_npz: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.npz"
    own.write_bytes(toy_npz.read_bytes())
    folder = small_study(own, tmp_path / "studies")
    check_data_unchanged(folder)
    from trainables.galaxies.galaxy_file import save_galaxies
    from trainables.simulation.galaxies import simulate_galaxies

    others = simulate_galaxies(60, seed=2)
    names = ("images", "target", "ids", "num_votes")
    save_galaxies(own, {name: getattr(others, name) for name in names})
    with pytest.raises(InvalidInput, match="own.npz is not the file that study 's' began with"):
        check_data_unchanged(folder)


def test_fewer_trials_than_have_ended_are_refused(begin_study: BeginStudy) -> None:
    folder = begin_study(trials=5)
    lines = "".join(f"{record(i, 0.1).model_dump_json()}\n" for i in range(3))
    folder.records_file.write_text(lines)
    assert_refused(folder, {"trials": 2}, "^trials must be at least 3: so many trials have ended$")
    change_plan(folder, {"trials": 3})
    assert folder.state() == "finished"


def test_a_refused_resume_leaves_the_plan_and_the_end_as_they_were(
    begin_study: BeginStudy,
) -> None:
    folder = begin_study(trials=5)
    folder.mark_ended("1 hours have passed")
    before = folder.plan_file.read_bytes()
    with pytest.raises(InvalidInput, match="no node"), plan_kept_if_refused(folder):
        change_plan(folder, {"gpus_per_trial": 8})
        assert folder.ended is None and folder.plan.gpus_per_trial == 8
        raise InvalidInput("no node can hold a trial")
    assert folder.plan_file.read_bytes() == before and folder.ended == "1 hours have passed"
    with plan_kept_if_refused(folder):
        change_plan(folder, {"gpus_per_trial": 8})
    assert folder.plan.gpus_per_trial == 8
