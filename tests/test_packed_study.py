"""Studies whose trials are trained several as one: every member is told and kept as one alone."""

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import ray
from optuna.trial import TrialState

from galaxytune.ledger import Ledger
from galaxytune.plan_options import plan_from_options
from galaxytune.promotion import Promotion
from galaxytune.search import new_study, run_study
from galaxytune.study_folder import StudyFolder
from galaxytune.study_plan import make_plan
from galaxytune.trial_queue import TrialQueue
from search_spaces.declaration.frozen_config import to_yaml
from tests.test_study import (
    GALAXYTUNE,
    assert_mirrored,
    assert_whole,
    clean_environment,
    kill_a_worker_when,
    optuna_trials,
    wait_for,
)

SMALL: dict[str, Any] = {"width": 0.1, "precision": "float32"}
Begin = Callable[..., StudyFolder]


@pytest.fixture
def begin(toy_npz: Path, tmp_path: Path) -> Begin:
    """A function that makes a study of packs of three."""

    def make(**changes: Any) -> StudyFolder:
        values: dict[str, Any] = {
            "name": "toy",
            "architectures": ["simple_cnn"],
            "data": str(toy_npz),
            "trials": 6,
            "epochs": 3,
            "grace_epochs": 1,
            "set": {**SMALL, "batch_size": 32},
            "pack": 3,
            "wandb": "disabled",
        }
        values |= changes
        if "grid" in changes:
            del values["trials"]
        return new_study(make_plan(values), tmp_path / f"studies-{len(list(tmp_path.iterdir()))}")

    return make


@contextmanager
def one_ray() -> Iterator[None]:
    """A local Ray with one CPU, so that one pack runs at a time."""
    ray.init(address="local", num_cpus=1, include_dashboard=False, log_to_driver=False)
    try:
        yield
    finally:
        ray.shutdown()


@pytest.fixture(scope="module")
def single_ray() -> Iterator[None]:
    with one_ray():
        yield


def packs(folder: StudyFolder) -> list[set[str]]:
    """Ids of the trials that shared the seconds of their first epochs, which only a pack's do."""
    together: dict[float, set[str]] = {}
    for record in folder.records():
        if record.epochs:
            seconds = folder.curve(record.id)[0]["seconds"]
            together.setdefault(seconds, set()).add(record.id)
    return sorted(together.values(), key=min)


def test_a_packed_study_ends_whole_though_a_worker_is_killed(
    single_ray: None, begin: Begin
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


def test_packed_trials_have_the_curves_of_trials_alone(single_ray: None, begin: Begin) -> None:
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
            assert report["val_rmse"] == pytest.approx(wanted["val_rmse"], rel=1e-5)
            assert report["train_loss"] == pytest.approx(wanted["train_loss"], rel=1e-5)


def test_a_pack_shares_what_shapes_a_network_and_draws_the_rest(
    single_ray: None, begin: Begin
) -> None:
    folder = begin(set=SMALL, epochs=1)
    run_study(folder)
    configs = {record.id: record.config for record in folder.records()}
    for first in (0, 3):
        members = [configs[f"{first + i:05d}"] for i in range(3)]
        assert len({config["batch_size"] for config in members}) == 1
        assert len({config["learning_rate"] for config in members}) == 3
    told = {t.number: t.params["simple_cnn.batch_size"] for t in optuna_trials(folder)}
    assert told == {int(i): config["batch_size"] for i, config in configs.items()}


def test_a_killed_driver_loses_nothing_of_a_pack(begin: Begin) -> None:
    folder = begin(wandb="offline", epochs=12, grace_epochs=12)
    storage = folder.path.parent
    command = [GALAXYTUNE, "resume", "toy", "--storage", str(storage), "--local-cpus", "1"]
    with subprocess.Popen(
        command, stderr=subprocess.DEVNULL, cwd=storage, env=clean_environment()
    ) as driver:
        wait_for(lambda: len(folder.curve("00001")) >= 3, 90)
        os.kill(driver.pid, signal.SIGKILL)
    before = folder.curve("00001")
    wait_for(lambda: folder.state() == "interrupted", 10)
    again = subprocess.run(
        command, cwd=storage, env=clean_environment(), capture_output=True, text=True, timeout=120
    )
    assert again.returncode == 0, again.stderr
    assert_whole(folder)
    assert_mirrored(folder)
    assert folder.curve("00001")[: len(before)] == before
    assert {record.status for record in folder.records()} == {"complete"}


def test_a_budget_ends_a_pack_with_all_its_members(single_ray: None, begin: Begin) -> None:
    folder = begin(epochs=400, grace_epochs=400, max_device_hours=0.5 / 3600)
    run_study(folder)
    assert folder.ended is not None and "device-hours are spent" in folder.ended
    assert {record.status for record in folder.records()} == {"pruned"}
    assert {t.state for t in optuna_trials(folder)} <= {TrialState.PRUNED, TrialState.WAITING}


def handed_out(folder: StudyFolder, size: int, places: int = 1) -> list[list[str]]:
    """The ids of all packs that a study hands out."""
    ledger = Ledger(folder)
    sizes = dict.fromkeys(folder.plan.architectures, size)
    queue = TrialQueue(ledger, Promotion(ledger), sizes, places)
    found = []
    while pack := queue.next_pack():
        found.append([trial_id for trial_id, _ in pack])
    return found


def test_packs_leave_no_place_empty(begin: Begin) -> None:
    assert handed_out(begin(), 3) == [
        ["00000", "00001", "00002"],
        ["00003", "00004", "00005"],
    ]
    assert [len(pack) for pack in handed_out(begin(), 16, places=3)] == [2, 2, 2]
    assert [len(pack) for pack in handed_out(begin(), 1)] == [1] * 6


def test_trials_of_an_unfinished_study_are_packed_anew(begin: Begin) -> None:
    folder = begin()
    assert [len(pack) for pack in handed_out(folder, 2)] == [2, 2, 2]
    assert [len(pack) for pack in handed_out(folder, 4)] == [4, 2]


def test_what_was_queued_and_does_not_fit_comes_next(begin: Begin) -> None:
    grid = {"batch_size": [32, 64], "learning_rate": [1e-3, 2e-3]}
    assert handed_out(begin(grid=grid, set=SMALL), 4) == [["00000", "00001"], ["00002", "00003"]]


def test_architectures_are_never_mixed(begin: Begin) -> None:
    folder = begin(architectures=["simple_cnn", "parallel_cnn"], trials=9)
    ledger = Ledger(folder)
    queue = TrialQueue(ledger, Promotion(ledger), {"simple_cnn": 3, "parallel_cnn": 3}, 1)
    while pack := queue.next_pack():
        assert len({config["architecture"] for _, config in pack}) == 1


def test_auto_packs_nothing_on_a_processor_and_says_why(single_ray: None, begin: Begin) -> None:
    folder = begin(pack="auto", trials=4, epochs=1)
    run_study(folder)
    assert [len(pack) for pack in packs(folder)] == [1] * 4
    told = json.loads(folder.packing_file.read_text())
    assert told["architectures"] == {} and "have no GPU" in told["not_measured"]


@pytest.mark.parametrize("given", [1, 0, "x", 2.5, True])
def test_a_pack_is_auto_off_or_a_number_from_2(given: Any, begin: Begin) -> None:
    with pytest.raises(ValueError, match="^pack: should be auto, off or a number from 2, got"):
        begin(pack=given)


@pytest.mark.parametrize("text", ["auto", "off", "3"])
def test_a_plan_file_may_say_how_to_pack(text: str, begin: Begin, tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    values = to_yaml(begin().plan.model_copy(update={"pack": "auto"})).splitlines()
    kept = [line for line in values if not line.startswith(("pack:", "provenance:", "  "))]
    file.write_text("\n".join([*kept, f"pack: {text}"]))
    expected = int(text) if text.isdecimal() else text
    assert plan_from_options(file, {"trials": 6, "set": None}, []).pack == expected


def test_networks_that_do_not_stack_are_not_packed(begin: Begin) -> None:
    with pytest.raises(ValueError, match="'resnet50' cannot be trained several as one, got 3"):
        begin(architectures=["simple_cnn", "resnet50"])
