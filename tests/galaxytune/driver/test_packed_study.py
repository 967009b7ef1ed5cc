"""Studies whose trials are trained several as one: every member is told and kept as one alone."""

import json
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState

from galaxytune.driver.run import run_study
from galaxytune.study.folder import StudyFolder
from tests.support.driver import ONE_HEAD
from tests.support.processes import kill_a_driver_when, kill_a_worker_when
from tests.support.studies import (
    BeginStudy,
    assert_mirrored,
    assert_whole,
    optuna_trials,
    training_study,
)

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("single_ray")]

SMALL: dict[str, Any] = {"width": 0.1, "precision": "float32", **ONE_HEAD}


@pytest.fixture
def begin(toy_npz: Path, tmp_path: Path) -> BeginStudy:
    """A function that makes a study of packs of three."""

    def make(**changes: Any) -> StudyFolder:
        values: dict[str, Any] = {"set": {**SMALL, "batch_size": 32}, "pack": 3}
        storage = tmp_path / f"studies-{len(list(tmp_path.iterdir()))}"
        return training_study(toy_npz, storage, **(values | changes))

    return make


def packs(folder: StudyFolder) -> list[set[str]]:
    """Ids of the trials that shared the seconds of their first epochs, which only a pack's do."""
    together: dict[float, set[str]] = {}
    for record in folder.records():
        if record.epochs:
            seconds = folder.curve(record.id)[0].seconds
            together.setdefault(seconds, set()).add(record.id)
    return sorted(together.values(), key=min)


def test_a_packed_study_ends_whole_though_a_worker_is_killed(
    begin: BeginStudy,
) -> None:
    folder = begin(wandb="offline", epochs=9, grace_epochs=3)
    killer = kill_a_worker_when(lambda: len(folder.curve("00001")) >= 2)
    run_study(folder)
    killer.join()
    assert_whole(folder)
    assert_mirrored(folder)
    assert packs(folder) == [{"00000", "00001", "00002"}, {"00003", "00004", "00005"}]
    assert sum(record.retries for record in folder.records()) == 3  # all members were lost
    assert {r.status for r in folder.records()} == {"complete", "pruned"}  # some leave, some stay
    assert not [*folder.checkpoints.glob("*/stopped-*"), *folder.checkpoints.glob("*/last.pt")]


def test_packed_trials_have_the_curves_of_trials_alone(begin: BeginStudy) -> None:
    grid = {"learning_rate": [1e-3, 1e30, 3e-3], "dropout": [0.3]}
    packed, alone = begin(grid=grid), begin(grid=grid, pack="off")
    for folder in (packed, alone):
        run_study(folder)
        assert_whole(folder)
    assert packs(packed) == [{"00000", "00002"}]
    records = {record.id: record for record in packed.records()}
    assert [records[i].status for i in sorted(records)] == ["complete", "failed", "complete"]
    assert records["00001"].reason.startswith(("train_loss is", "val_"))
    assert records["00001"].config_failed
    for trial_id in ("00000", "00002"):
        found, expected = packed.curve(trial_id), alone.curve(trial_id)
        for report, wanted in zip(found, expected, strict=True):
            assert report.val_rmse == pytest.approx(wanted.val_rmse, rel=1e-5)
            assert report.train_loss == pytest.approx(wanted.train_loss, rel=1e-5)


def test_a_pack_shares_what_shapes_a_network_and_draws_the_rest(
    begin: BeginStudy,
) -> None:
    folder = begin(set=SMALL, epochs=1)
    run_study(folder)
    configs = {record.id: record.config for record in folder.records()}
    for first in (0, 3):
        members = [configs[f"{first + i:05d}"] for i in range(3)]
        assert len({config.batch_size for config in members}) == 1
        # the published and the recommended config have one rate
        assert len({config.learning_rate for config in members}) == (3 if first else 2)
    told = {t.number: t.params["simple_cnn.batch_size"] for t in optuna_trials(folder)}
    assert told == {int(i): config.batch_size for i, config in configs.items()}


def test_a_killed_driver_loses_nothing_of_a_pack(begin: BeginStudy) -> None:
    folder = begin(wandb="offline", epochs=12, grace_epochs=12)
    kill_a_driver_when(lambda: len(folder.curve("00001")) >= 3, folder, cpus=1)
    before = folder.curve("00001")
    run_study(folder)
    assert_whole(folder)
    assert_mirrored(folder)
    assert folder.curve("00001")[: len(before)] == before
    assert {record.status for record in folder.records()} == {"complete"}


def test_a_budget_ends_a_pack_with_all_its_members(begin: BeginStudy) -> None:
    folder = begin(epochs=400, grace_epochs=400, max_device_hours=0.5 / 3600)
    run_study(folder)
    assert folder.ended is not None and "device-hours are spent" in folder.ended
    assert {record.status for record in folder.records()} == {"pruned"}
    assert {t.state for t in optuna_trials(folder)} <= {TrialState.PRUNED, TrialState.WAITING}


def test_auto_packs_nothing_on_a_processor_and_says_why(begin: BeginStudy) -> None:
    folder = begin(pack="auto", trials=4, epochs=1)
    run_study(folder)
    assert [len(pack) for pack in packs(folder)] == [1] * 4
    told = json.loads(folder.packing_file.read_text())
    assert told["architectures"] == {} and "have no GPU" in told["not_measured"]
