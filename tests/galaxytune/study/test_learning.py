"""Reading of the earlier studies from which a new study learns."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from analysis.records import TrialRecord
from galaxytune.study import StudyFolder, trials_of_studies
from search_spaces.declaration import InvalidInput
from tests.support.misbehaving import report_of
from tests.support.records import record
from tests.support.studies import BeginStudy, small_study
from trainables.files import append_line


def ended(folder: StudyFolder, trials: Sequence[TrialRecord]) -> None:
    """Write records of ended trials, each with a curve of two epochs."""
    for trial in trials:
        append_line(folder.records_file, trial.model_dump(mode="json"))
        for epoch in (1, 2):
            rmse = (trial.val_rmse or 0.2) + 0.1 * (2 - epoch)
            values = report_of(trial.id, epoch).as_values() | {"val_rmse": rmse}
            append_line(folder.curve_file(trial.id), values)


@pytest.fixture
def earlier(begin_study: BeginStudy) -> StudyFolder:
    """A study with a complete, a pruned and a failed trial."""
    folder = begin_study()
    ended(
        folder,
        [
            record(0, 0.1, epochs=4, published=True),
            record(1, 0.08, epochs=4, status="pruned", learning_rate=0.004),
            record(2, 0.3, epochs=4, status="failed", learning_rate=0.01),
        ],
    )
    return folder


def test_complete_and_pruned_trials_teach(earlier: StudyFolder) -> None:
    first, second = trials_of_studies([earlier.path])
    assert (first.study, first.trial, first.is_whole, second.is_whole) == (
        "s",
        "00000",
        True,
        False,
    )
    assert (second.values["learning_rate"], second.num_epochs) == (0.004, 4)
    assert second.curve == pytest.approx((0.18, 0.08))
    assert "learning_rate" in second.searched and "width" not in second.searched


@pytest.mark.parametrize("given", ["s", "path"])
def test_a_new_study_keeps_what_it_learns_from(
    given: str, earlier: StudyFolder, toy_npz: Path
) -> None:
    study = str(earlier.path) if given == "path" else given
    new = small_study(toy_npz, earlier.path.parent, name="new", learn_from=[study])
    assert new.plan.learn_from == (str(earlier.path),)
    kept = new.earlier_trials()
    assert kept == trials_of_studies([earlier.path])
    (earlier.path / "trials.jsonl").unlink()
    assert new.earlier_trials() == kept


def test_studies_of_one_name_are_told_apart(earlier: StudyFolder, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere" / earlier.name
    other.parent.mkdir()
    earlier.path.rename(other)
    new = small_study(Path(StudyFolder(other).plan.data), tmp_path / "third")
    ended(new, [record(0, 0.1, epochs=4)])
    found = trials_of_studies([other, new.path])
    assert {trial.study for trial in found} == {str(other), str(new.path)}


def test_what_teaches_nothing_is_refused(earlier: StudyFolder, toy_npz: Path) -> None:
    with pytest.raises(InvalidInput, match="nowhere holds no study"):
        trials_of_studies([earlier.path.parent / "nowhere"])
    with pytest.raises(InvalidInput, match="stands twice"):
        trials_of_studies([earlier.path, earlier.path])
    empty = small_study(toy_npz, earlier.path.parent, name="empty")
    with pytest.raises(InvalidInput, match="nothing to learn from"):
        small_study(toy_npz, earlier.path.parent, name="new", learn_from=[str(empty.path)])
    assert not (earlier.path.parent / "new" / "plan.yaml").exists()
