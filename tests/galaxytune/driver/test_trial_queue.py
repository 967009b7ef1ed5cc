"""Which trials are handed out next, and which of them together."""

from pathlib import Path

import pytest

from galaxytune.driver.ledger import Ledger
from galaxytune.driver.promotion import Promotion
from galaxytune.driver.trial_queue import TrialQueue
from galaxytune.study.folder import StudyFolder
from tests.support.driver import ONE_HEAD
from tests.support.studies import BeginStudy, training_study

ALIKE = {"width": 0.1, "batch_size": 32, **ONE_HEAD}


@pytest.fixture
def begin(toy_npz: Path, tmp_path: Path) -> BeginStudy:
    """A function that makes a study of six trials in a storage of its own."""

    def make(**changes: object) -> StudyFolder:
        storage = tmp_path / f"studies-{len(list(tmp_path.iterdir()))}"
        return training_study(toy_npz, storage, **changes)

    return make


def handed_out(folder: StudyFolder, size: int, slots: int = 1) -> list[list[str]]:
    """The ids of all packs that a study hands out."""
    ledger = Ledger(folder)
    sizes = dict.fromkeys(folder.plan.architectures, size)
    queue = TrialQueue(ledger, Promotion(ledger), sizes, slots)
    found = []
    while pack := queue.next_pack():
        found.append([trial_id for trial_id, _ in pack])
    return found


def test_packs_leave_no_place_empty(begin: BeginStudy) -> None:
    assert handed_out(begin(set=ALIKE), 3) == [
        ["00000", "00001", "00002"],
        ["00003", "00004", "00005"],
    ]
    assert [len(pack) for pack in handed_out(begin(set=ALIKE), 16, slots=3)] == [2, 2, 2]
    assert [len(pack) for pack in handed_out(begin(set=ALIKE), 1)] == [1] * 6


def test_trials_of_an_unfinished_study_are_packed_anew(begin: BeginStudy) -> None:
    folder = begin(set=ALIKE)
    assert [len(pack) for pack in handed_out(folder, 2)] == [2, 2, 2]
    assert [len(pack) for pack in handed_out(folder, 4)] == [4, 2]


def test_what_was_queued_and_does_not_fit_comes_next(begin: BeginStudy) -> None:
    grid = {"batch_size": [32, 64], "learning_rate": [1e-3, 2e-3]}
    assert handed_out(begin(grid=grid, set={"width": 0.1}), 4) == [
        ["00000", "00001"],
        ["00002", "00003"],
    ]


def test_architectures_are_never_mixed(begin: BeginStudy) -> None:
    folder = begin(architectures=["simple_cnn", "parallel_cnn"], trials=9)
    ledger = Ledger(folder)
    queue = TrialQueue(ledger, Promotion(ledger), {"simple_cnn": 3, "parallel_cnn": 3}, slots=1)
    while pack := queue.next_pack():
        assert len({config.architecture for _, config in pack}) == 1
