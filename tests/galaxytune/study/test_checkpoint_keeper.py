"""Which checkpoints a study keeps as its trials end."""

from collections.abc import Callable
from typing import Any

import pytest

from galaxytune.study.checkpoint_keeper import CheckpointKeeper
from tests.support.records import record
from tests.support.studies import BeginStudy
from trainables.files.checkpoint import BEST, LAST

MakeKeeper = Callable[..., CheckpointKeeper]


@pytest.fixture
def checkpoints(begin_study: BeginStudy) -> MakeKeeper:
    """A function that makes a keeper of the two best of some trials, all with checkpoints."""

    def keeper(num_trials: int, *ended: Any, **changes: Any) -> CheckpointKeeper:
        folder = begin_study(keep_checkpoints=2, **changes)
        for number in range(num_trials):
            place = folder.checkpoint_folder(f"{number:05d}")
            place.mkdir()
            (place / BEST).write_bytes(b"b" * 1000)
            (place / LAST).write_bytes(b"l" * 1000)
        return CheckpointKeeper(folder, folder.plan, ended)

    return keeper


def kept(keeper: CheckpointKeeper) -> list[str]:
    return sorted(f"{p.parent.name}/{p.name}" for p in keeper.folder.checkpoints.glob("*/*"))


def test_the_best_of_all_trials_stay_and_live_ones_with_them(checkpoints: MakeKeeper) -> None:
    keeper = checkpoints(5)
    for number, rmse in enumerate((0.3, 0.1, 0.4, 0.2)):
        keeper.clean(record(number, rmse))
    assert kept(keeper) == [
        "00001/best.safetensors",
        "00003/best.safetensors",
        "00004/best.safetensors",
        "00004/last.pt",
    ]


def test_what_a_killed_driver_left_behind_is_dropped_by_the_next(checkpoints: MakeKeeper) -> None:
    ended = [record(number, rmse) for number, rmse in enumerate((0.3, 0.1, 0.2))]
    assert {path.partition("/")[0] for path in kept(checkpoints(4, *ended))} == {
        "00001",
        "00002",
        "00003",
    }


def test_over_the_quota_the_best_stays(checkpoints: MakeKeeper) -> None:
    keeper = checkpoints(3, checkpoint_quota_gb=1.5e-6)
    for number, rmse in enumerate((0.3, 0.1, 0.2)):
        keeper.clean(record(number, rmse))
        while keeper.is_over_quota() and keeper.drop_worst():
            pass
    assert kept(keeper) == ["00001/best.safetensors"]


def test_the_best_of_each_architecture_stays(checkpoints: MakeKeeper) -> None:
    keeper = checkpoints(4)
    others = [record(number, rmse) for number, rmse in enumerate((0.1, 0.2, 0.15))]
    keeper.clean(record(3, 0.5, architecture="parallel_cnn"))
    for trial in others:
        keeper.clean(trial)
    assert {path.partition("/")[0] for path in kept(keeper)} == {"00000", "00002", "00003"}


def test_frozen_weights_stay_beside_a_damaged_checkpoint(checkpoints: MakeKeeper) -> None:
    keeper = checkpoints(1)
    frozen = keeper.folder.checkpoints / "frozen" / "abc.safetensors"
    frozen.parent.mkdir()
    frozen.write_bytes(b"w")
    keeper.drop_unused()
    assert frozen.exists()
